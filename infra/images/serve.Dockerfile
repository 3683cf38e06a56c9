# The web app: API and pages. No TensorFlow, no whole MLflow. `make images` builds it.
FROM debian:12.12-slim AS base
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && dpkg-query --show --showformat '${Package}\t${Version}\t${Architecture}\n' > /debian-packages \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin dermacare \
    && install -d -o 10001 -g 10001 /var/lib/dermacare

FROM base AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY infra/images/packages infra/images/build.lock infra/images/serve.lock /build/
RUN /build/packages serve.lock
COPY infra/images/wheel infra/images/sbom infra/images/sbom.py dist/*.whl /build/
RUN /build/wheel

FROM base
COPY --from=build /opt/dermacare /opt/dermacare
COPY --from=build /app /
COPY infra/images/with-secrets /opt/dermacare/bin/
ENV PATH=/opt/dermacare/bin:/usr/bin:/bin HOME=/tmp DERMACARE_HOME=/var/lib/dermacare \
    PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 DO_NOT_TRACK=true GX_ANALYTICS_ENABLED=false
# A numeric user, so that Kubernetes can see that it is not root. Only /var/lib/dermacare and /tmp are written to.
USER 10001
WORKDIR /var/lib/dermacare
EXPOSE 8080
ENTRYPOINT ["with-secrets", "dermacare"]
CMD ["serve", "--host", "0.0.0.0"]
ARG VERSION REVISION CREATED CODE
ENV DERMACARE_REVISION=$REVISION
LABEL org.opencontainers.image.title="DermaCare: web app" org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION org.opencontainers.image.created=$CREATED \
    org.opencontainers.image.licenses="Apache-2.0" dermacare.code=$CODE
