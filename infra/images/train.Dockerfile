# Training on CPUs, for Kubeflow and `dermacare run --runner docker`. `make images` builds it over the
# packages of the steps, since training imports what they do and more.
ARG PACKAGES
FROM $PACKAGES AS packages

FROM packages AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY infra/images/more-packages infra/images/build.lock infra/images/train.lock /build/
RUN /build/more-packages train.lock

FROM build AS app
COPY infra/images/wheel infra/images/sbom infra/images/sbom.py dist/*.whl /build/
RUN /build/wheel

FROM packages
COPY --from=build /more /
COPY --from=app /app /
ENV PATH=/opt/dermacare/bin:/usr/bin:/bin HOME=/tmp DERMACARE_HOME=/var/lib/dermacare \
    PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 DO_NOT_TRACK=true GX_ANALYTICS_ENABLED=false
# A numeric user, so that Kubernetes can see that it is not root. Only /var/lib/dermacare and /tmp are written to.
USER 10001
WORKDIR /var/lib/dermacare
ARG VERSION REVISION CREATED CODE
ENV DERMACARE_REVISION=$REVISION
LABEL org.opencontainers.image.title="DermaCare: training" org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION org.opencontainers.image.created=$CREATED \
    org.opencontainers.image.licenses="Apache-2.0" dermacare.code=$CODE
