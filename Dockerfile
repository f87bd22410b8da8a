# LocalStack community with streamdev's plugins and DynamoDB Local. Build it with `make image`.
#
# It is laid out as LocalStack's own image is (the environment's and the state's place), so that
# docker-compose.yml works with either. BASE_IMAGE may be any Debian 13 with Python 3.13.
ARG BASE_IMAGE=python:3.13-slim

# -- All that comes from package registries, each list locked and hashed ----------------------
FROM ${BASE_IMAGE} AS build
# Mirrors, where the registries themselves can't be reached. Not in the image.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG NPM_CONFIG_REGISTRY
COPY image/ca/ /usr/local/share/ca-certificates/
RUN ["update-ca-certificates"]
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    PYTHONPATH=/src \
    PYTHONUNBUFFERED=1
WORKDIR /src

RUN ["python3", "-m", "venv", "/opt/tools"]
COPY image/tools.txt image/
RUN ["/opt/tools/bin/pip", "install", "--no-cache-dir", "--no-deps", "--require-hashes", \
     "--requirement", "image/tools.txt"]

# Only what the large steps are made by, so that other edits leave their layers alone.
COPY streamdev/__init__.py streamdev/errors.py streamdev/locks.py streamdev/paths.py streamdev/
COPY streamdev/engine/__init__.py streamdev/engine/base.py streamdev/engine/cache.py \
     streamdev/engine/environment.py streamdev/engine/installer.py \
     streamdev/engine/subprocesses.py streamdev/engine/
COPY streamdev/engine/locks/ streamdev/engine/locks/
COPY scripts/assemble_image.py scripts/
RUN ["/opt/tools/bin/python", "scripts/assemble_image.py", "localstack"]
RUN ["/opt/tools/bin/python", "scripts/assemble_image.py", "runtime"]
COPY streamdev/engine/dynamodb_local.py streamdev/engine/
RUN ["/opt/tools/bin/python", "scripts/assemble_image.py", "dynamodb"]
COPY streamdev/ streamdev/
RUN ["/opt/tools/bin/python", "scripts/assemble_image.py", "plugins"]

# -- A Java of only what DynamoDB Local may need: a fifth of the size of Debian's -------------
FROM ${BASE_IMAGE} AS java
# A slim base has no folder for manual pages, and Java's package fails without.
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-25-jdk-headless
RUN ["jlink", "--add-modules", "java.se,jdk.crypto.ec,jdk.jcmd,jdk.jfr,jdk.management,jdk.net,jdk.unsupported,jdk.zipfs", \
     "--strip-java-debug-attributes", "--exclude-files", "**.debuginfo", "--no-header-files", "--no-man-pages", "--compress", "zip-6", \
     "--generate-cds-archive", "--output", "/opt/java"]

# -- The image --------------------------------------------------------------------------------
FROM ${BASE_IMAGE}
RUN useradd --uid 1000 --user-group --create-home localstack \
    && install --directory --owner=localstack --group=localstack \
       /etc/localstack /opt/code/localstack /usr/lib/localstack /var/lib/localstack
COPY --from=java /opt/java /opt/java
COPY --from=build /opt/code/localstack/.venv /opt/code/localstack/.venv
COPY --from=build /opt/streamdev /opt/streamdev

LABEL org.opencontainers.image.title="LocalStack community with streamdev's plugins" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV LOCALSTACK_BUILD_VERSION=4.14.0 \
    PATH=/opt/code/localstack/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/streamdev/plugins \
    PYTHONUNBUFFERED=1 \
    LAMBDA_RUNTIME_EXECUTOR=streamdev-process \
    PROVIDER_OVERRIDE_DYNAMODB=v2 \
    PROVIDER_OVERRIDE_DYNAMODBSTREAMS=v2 \
    DDB_LOCAL_TELEMETRY=0 \
    DISABLE_EVENTS=1 \
    SKIP_SSL_CERT_DOWNLOAD=1 \
    DNS_ADDRESS=0 \
    STREAMDEV_RUNTIME_DIR=/opt/streamdev/runtime \
    STREAMDEV_DYNAMODB_DIR=/opt/streamdev/dynamodb \
    STREAMDEV_JAVA_HOME=/opt/java \
    STREAMDEV_STATE_DIR=/var/lib/localstack/streamdev/streams \
    STREAMDEV_DB_DIR=/var/lib/localstack/streamdev/dynamodb
WORKDIR /opt/code/localstack
USER localstack
# LocalStack's index of AWS's services; without it each new engine takes seconds to make its own.
RUN ["/opt/code/localstack/.venv/bin/python", "-P", "-m", "localstack.aws.spec"]
VOLUME /var/lib/localstack
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/code/localstack/.venv/bin/python", "-I", "-S", \
         "/opt/streamdev/plugins/streamdev/plugins/healthcheck.py"]
ENTRYPOINT ["/opt/code/localstack/.venv/bin/python", "-P", "-m", "localstack.runtime.main"]
