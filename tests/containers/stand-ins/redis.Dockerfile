# A stand-in for the official image redis:7-bookworm, of Debian's package: the same user, volume, entry point and command.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN groupadd --system --gid 999 redis && useradd --system --gid 999 --uid 999 --home-dir /data --shell /usr/sbin/nologin redis \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null \
    && rm -rf /var/lib/apt/lists/* /etc/redis \
    && mkdir -p /data && chown 999:999 /data
LABEL keyward.stand-in="redis:7-bookworm"
COPY --chmod=755 redis.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 6379
CMD ["redis-server"]
