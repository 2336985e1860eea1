# One image, two roles: `prober controller` and `prober agent`. Nothing in it runs as root.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv --copies /opt/prober \
 && /opt/prober/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY prober prober
RUN /opt/prober/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/prober/bin/pip uninstall --yes --quiet hatchling editables pathspec pluggy tomlkit trove-classifiers pip setuptools

# Raw sockets for a user that is not root need a capability on the file that is run: a copy of the interpreter that
# only the agent uses. The container has to be granted it too: cap_add [NET_RAW].
FROM python:3.11-slim AS capable
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcap2-bin \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/prober /opt/prober
RUN cp -L /opt/prober/bin/python /opt/prober/bin/python-net-raw \
 && setcap cap_net_raw+ep /opt/prober/bin/python-net-raw

FROM python:3.11-slim
LABEL org.opencontainers.image.title="prober" \
      org.opencontainers.image.licenses="GPL-2.0-only"
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/prober
COPY --from=capable /opt/prober /opt/prober
COPY deploy/container/entrypoint /usr/local/bin/prober
COPY deploy/container/health /usr/local/bin/prober-health
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PROBER_STATE=/var/lib/prober
USER 65532:65532
WORKDIR /var/lib/prober
VOLUME /var/lib/prober
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=15s CMD ["prober-health"]
ENTRYPOINT ["prober"]
CMD ["--help"]
