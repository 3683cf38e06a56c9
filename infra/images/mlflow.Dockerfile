# The tracking server for a team: MLflow behind nginx (mlflow/README.md). `make images` builds it.
FROM debian:12.12-slim AS base
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends ca-certificates nginx-light python3 \
    && rm -rf /var/lib/apt/lists/* \
    && dpkg-query --show --showformat '${Package}\t${Version}\t${Architecture}\n' > /debian-packages \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mlflow

FROM base AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY infra/images/packages infra/images/build.lock mlflow/requirements.lock /build/
RUN /build/packages requirements.lock
COPY infra/images/sbom infra/images/sbom.py /build/
RUN /build/sbom > /opt/dermacare/sbom.cdx.json

FROM base
COPY --from=build /opt/dermacare /opt/dermacare
COPY infra/images/with-secrets /opt/dermacare/bin/
COPY mlflow/basic_auth.ini mlflow/nginx.conf mlflow/routes.conf mlflow/serve /opt/tracking/
ENV PATH=/opt/dermacare/bin:/usr/sbin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 DERMACARE_LISTEN=0.0.0.0:8080
# A numeric user, so that Kubernetes can see that it is not root. Only /tmp is written to.
USER 10001
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["with-secrets", "/opt/tracking/serve"]
ARG VERSION REVISION CREATED
LABEL org.opencontainers.image.title="DermaCare: tracking server" org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION org.opencontainers.image.created=$CREATED \
    org.opencontainers.image.licenses="Apache-2.0"
