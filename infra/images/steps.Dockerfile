# Every step but training, for Kubeflow and `dermacare run --runner docker`. `make images` builds it.
FROM debian:12.12-slim AS base
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && dpkg-query --show --showformat '${Package}\t${Version}\t${Architecture}\n' > /debian-packages \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin dermacare \
    && install -d -o 10001 -g 10001 /var/lib/dermacare

FROM base AS build
# zipfile-deflate64 comes as source alone.
RUN apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev python3-dev python3-venv
COPY infra/images/packages infra/images/build.lock infra/images/steps.lock /build/
RUN /build/packages steps.lock

# Over this the images of training are built, too.
FROM base AS packages
COPY --from=build /opt/dermacare /opt/dermacare

FROM build AS app
COPY infra/images/wheel infra/images/sbom infra/images/sbom.py dist/*.whl /build/
RUN /build/wheel

FROM packages
COPY --from=app /app /
ENV PATH=/opt/dermacare/bin:/usr/bin:/bin HOME=/tmp DERMACARE_HOME=/var/lib/dermacare \
    PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 DO_NOT_TRACK=true GX_ANALYTICS_ENABLED=false
# A numeric user, so that Kubernetes can see that it is not root. Only /var/lib/dermacare and /tmp are written to.
USER 10001
WORKDIR /var/lib/dermacare
ARG VERSION REVISION CREATED CODE
ENV DERMACARE_REVISION=$REVISION
LABEL org.opencontainers.image.title="DermaCare: steps" org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION org.opencontainers.image.created=$CREATED \
    org.opencontainers.image.licenses="Apache-2.0" dermacare.code=$CODE
