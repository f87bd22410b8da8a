#!/bin/bash
# As in LocalStack's own image: variables lose a prefix LOCALSTACK_, then the supervisor starts.
set -eo pipefail
shopt -s nullglob
source <(
    env |
        grep -v -e '^LOCALSTACK_HOSTNAME' -e '^LOCALSTACK_HOST' -e '^LOCALSTACK_[[:digit:]]' |
        sed -ne 's/^LOCALSTACK_\([^=]\+\)=.*/export \1=${LOCALSTACK_\1}/p'
)
mkdir -p /var/lib/localstack/logs
source /opt/code/localstack/.venv/bin/activate
exec localstack-supervisor
