# Training on CPUs, for Kubeflow and `dermacare run --runner docker`. `infra/images/build` names the image of the steps, over which
# it is built, since training imports what they do and more.
ARG STEPS
FROM $STEPS AS steps

FROM steps AS build
USER root
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY infra/images/more-packages infra/images/sbom infra/images/sbom.py infra/images/build.lock infra/images/train.lock /build/
RUN /build/more-packages train.lock

FROM steps
COPY --from=build /more /
LABEL org.opencontainers.image.title="DermaCare: training"
