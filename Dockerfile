# The linter alone: docker build -t vllm-migrate . && docker run --rm -v "$PWD:/work:ro" vllm-migrate lint .
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --quiet --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --quiet --no-cache-dir --no-index /wheels/*.whl && \
    rm -r /wheels && \
    useradd --create-home --uid 1000 user
USER 1000
WORKDIR /work
ENTRYPOINT ["vllm-migrate"]
CMD ["lint", "."]
