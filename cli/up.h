/* `keyward up`: a whole development mesh from one command. */
#ifndef KW_CLI_UP_H
#define KW_CLI_UP_H

int kw_cli_up(int argc, char **argv);

#endif
