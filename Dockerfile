# One static program. docker build --build-arg VERSION="$(git describe --tags --always)" -t recarga .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/recarga ./cmd/recarga \
	&& mkdir /out/data

# No shell and no package manager; certificate authorities, time zones and the user nonroot (65532).
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/recarga /usr/local/bin/recarga
# Where `recarga serve` keeps recarga.db when no database is given: mount a volume here.
COPY --from=build --chown=65532:65532 /out/data /data
WORKDIR /data
# A container's loopback is reached by nobody; what is published is for who runs it to say.
ENV RECARGA_HTTP_ADDR=0.0.0.0:8080 RECARGA_METRICS_ADDR=0.0.0.0:9464
EXPOSE 8080 9464
ENTRYPOINT ["recarga"]
CMD ["serve"]
