# One static program. docker build --build-arg VERSION="$(git describe --tags --always)" -t recarga .
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/recarga ./cmd/recarga \
	&& mkdir -m 0700 /out/data

# No shell and no package manager; certificate authorities, time zones and the user nonroot (65532).
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/recarga /usr/local/bin/recarga
# Where `recarga serve` keeps recarga.db when no database is given: mount a volume here.
COPY --from=build --chown=65532:65532 /out/data /data
WORKDIR /data
# A container's loopback is reached by nobody; what is published is for who runs it to say. /metrics needs no key: it
# stays on loopback until RECARGA_METRICS_ADDR says 0.0.0.0:9464, for a scraper in a network of its own.
ENV RECARGA_HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["recarga"]
CMD ["serve"]
