#!/bin/sh
# Waits until all containers of this project that are started to stay are healthy, and those that are started once have ended well:
# `docker/wait.sh [SECONDS]`, in the repository's root. For Compose before v2, which has no `up --wait`. Fails when time is up (120 s),
# and names who is not there or has ended badly; at once where there is no container.
set -eu

project=${COMPOSE_PROJECT_NAME:-$(sed -n 's/^COMPOSE_PROJECT_NAME=//p' .env)}
seconds=${1:-120}
deadline=$(($(date +%s) + seconds))

# "SERVICE STATE HEALTH EXIT" of each; a service without a health check has none.
states() {
    docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False |
        xargs -r docker inspect --format \
            '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}}'
}

while :; do
    now=$(states)
    [ -n "$now" ] || { echo "wait.sh: no container of project $project" >&2 && exit 1; }
    waiting=$(echo "$now" | grep -Ev ' running (healthy|none) | exited .* 0$' || :)
    [ -n "$waiting" ] || exit 0
    if [ "$(date +%s)" -ge "$deadline" ]; then
        printf 'wait.sh: not healthy after %s s:\n%s\n' "$seconds" "$waiting" >&2
        exit 1
    fi
    sleep 1
done
