/* The banner. */
#include "cli/up_banner.h"

#include <stdio.h>

static void title(const struct kw_mesh_layout *layout)
{
    static const char *const words[] = {"no", "one", "two", "three"};
    size_t regions = layout->region_count;
    size_t cells = layout->cell_count;

    (void)printf("\n  Keyward: %s region%s", words[regions], regions == 1 ? "" : "s");
    if (cells > 1) {
        (void)printf(" of %s cells", words[cells]);
    }
    (void)printf(", four layers, SoftHSM\n");
}

/* A line for each region. */
static void gateways(const struct kw_mesh_layout *layout)
{
    bool alone = layout->region_count == 1 && layout->cell_count == 1;

    for (size_t i = 0; i < layout->region_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i];

        (void)printf("  %-14s", i == 0 ? "gateway" : "");
        for (size_t j = 0; j < layout->cell_count; j++) {
            if (!alone) {
                (void)printf("%s/%s ", region->name, region->cells[j].name);
            }
            (void)printf("127.0.0.1:%d ", region->cells[j].ports[KW_MESH_GATEWAY].listen);
        }
        (void)printf("%s\n", i == 0 ? "(gRPC, TLS 1.3, client certificate)" : "");
    }
}

void kw_up_banner(const struct kw_mesh_layout *layout, const char *bin_dir)
{
    const char *d = layout->dir.path;
    const char *root = layout->regions[0].dir.path;
    bool alone = layout->region_count == 1 && layout->cell_count == 1;
    int port = layout->regions[0].cells[0].ports[KW_MESH_GATEWAY].listen;

    title(layout);
    gateways(layout);
    (void)printf("  root CA       %s/pki/root.pem\n"
                 "  officer       %s/officer/{cert,key}.pem\n"
                 "  directory     %s (logs, data, settings)\n"
                 "\n"
                 "  Next:         export PATH=%s:$PATH\n"
                 "                export KEYWARD_CONFIG=%s/cli.yaml%s\n"
                 "                keyward status\n"
                 "                keyward tour\n"
                 "  Or by hand:   buf curl --protocol grpc --cacert %s/pki/root.pem \\\n"
                 "                  --cert %s/officer/cert.pem --key %s/officer/key.pem \\\n"
                 "                  https://127.0.0.1:%d/keyward.v1.StatusService/GetStatus\n"
                 "                (`./run lint` fetches buf into build/tools/node_modules/.bin)\n"
                 "  WARNING: SoftHSM keeps keys in files and in memory. Nothing here is for "
                 "production or patients.\n"
                 "\n"
                 "READY port=%d dir=%s\n",
                 root, d, d, bin_dir, d,
                 alone ? "" : "   # the first cell; others: cli-REGION-CELL.yaml", root, d, d, port,
                 port, d);
    (void)fflush(stdout);
}
