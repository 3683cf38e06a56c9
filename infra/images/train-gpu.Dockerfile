# Training on NVIDIA's GPUs; CUDA comes with TensorFlow's wheels, the driver from the machine. `infra/images/build` names the image of the steps, over which
# it is built, since training imports what they do and more.
ARG STEPS
FROM $STEPS AS steps

FROM steps AS build
USER root
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY infra/images/more-packages infra/images/sbom infra/images/sbom.py infra/images/build.lock infra/images/train-gpu.lock /build/
RUN /build/more-packages train-gpu.lock

FROM steps
COPY --from=build /more /
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="DermaCare: training, GPU"
