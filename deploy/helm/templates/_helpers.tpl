{{- define "recarga.name" -}}
{{- $whole := contains "recarga" .Release.Name | ternary .Release.Name (printf "%s-recarga" .Release.Name) }}
{{- $whole | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "recarga.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ end }}
{{- end }}

{{/* By these labels pods are chosen: they never change. */}}
{{- define "recarga.selector" -}}
app.kubernetes.io/name: recarga
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "recarga.labels" -}}
{{ include "recarga.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.image.tag }}
app.kubernetes.io/version: {{ . | trunc 63 | quote }}
{{- end }}
{{- end }}

{{/* Settings that stand in the Secret, by file. Call with the list of their names. */}}
{{- define "recarga.secretEnv" -}}
{{- range . }}
- name: {{ . }}_FILE
  value: /etc/recarga/secret/{{ . }}
{{- end }}
{{- end }}

{{/* How a pod is confined, whatever runs in it. 65532 is the user of the image. */}}
{{- define "recarga.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532 # it may read the Secret's files, which nobody else can
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "recarga.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* A Deployment of one role. Call with root, role ("api" or "worker") and its values. */}}
{{- define "recarga.deployment" -}}
{{- $v := .root.Values }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "recarga.name" .root }}-{{ .role }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "recarga.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- if not (and $v.keda.enabled (eq .role "worker")) }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "recarga.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "recarga.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        recarga/metrics: "true"
      {{- if or $v.catalog $v.podAnnotations }}
      annotations:
        {{- if $v.catalog }}
        recarga/catalog: {{ sha256sum $v.catalog }} # another catalog restarts the pods
        {{- end }}
        {{- with $v.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
    spec:
      {{- include "recarga.podSecurity" .root | nindent 6 }}
      {{- if eq .role "api" }}
      terminationGracePeriodSeconds: {{ add $v.shutdown.delaySeconds 30 }}
      {{- else }}
      # Longer than a purchase under way may need, or a stop makes unknowns.
      terminationGracePeriodSeconds: {{ add $v.shutdown.timeoutSeconds $v.shutdown.webhookSeconds 30 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "recarga.selector" .root | nindent 14 }}
              app.kubernetes.io/component: {{ .role }}
      containers:
        - name: recarga
          image: {{ include "recarga.image" .root | quote }}
          imagePullPolicy: {{ $v.image.pullPolicy }}
          args: [{{ .role }}]
          securityContext:
            {{- include "recarga.containerSecurity" .root | nindent 12 }}
          env:
            - name: RECARGA_HTTP_ADDR
              value: ":8080"
            - name: RECARGA_METRICS_ADDR
              value: ":9464"
            {{- if $v.migration.enabled }}
            - name: RECARGA_MIGRATE
              value: "false"
            {{- end }}
            - name: RECARGA_SHUTDOWN_DELAY
              value: {{ $v.shutdown.delaySeconds }}s
            - name: RECARGA_SHUTDOWN_TIMEOUT
              value: {{ $v.shutdown.timeoutSeconds }}s
            - name: RECARGA_WEBHOOK_TIMEOUT
              value: {{ $v.shutdown.webhookSeconds }}s
            {{- if $v.catalog }}
            - name: RECARGA_CATALOG
              value: /etc/recarga/catalog/products.yaml
            {{- end }}
            {{- if $v.archive.claim }}
            - name: RECARGA_ARCHIVE_DIR
              value: /var/lib/recarga/archive
            {{- end }}
            {{- include "recarga.secretEnv" $v.secret.settings | trim | nindent 12 }}
            {{- range $name, $value := $v.settings }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
            {{- with $v.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- if eq .role "api" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: metrics, containerPort: 9464}
          # Alive from the first moment, also while the database or Redis is away: a restart would help against
          # neither. Not ready until it can do its work, and from the moment on that it is asked to end.
          livenessProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: metrics}
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 2
          resources: {{ toJson .values.resources }}
          volumeMounts:
            - {name: secret, mountPath: /etc/recarga/secret, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if $v.catalog }}
            - {name: catalog, mountPath: /etc/recarga/catalog, readOnly: true}
            {{- end }}
            {{- if $v.archive.claim }}
            - {name: archive, mountPath: /var/lib/recarga/archive}
            {{- end }}
      volumes:
        - name: secret
          secret: {secretName: {{ $v.secret.name }}, defaultMode: 0440}
        - name: tmp
          emptyDir: {sizeLimit: {{ .values.tmpSize }}}
        {{- if $v.catalog }}
        - name: catalog
          configMap: {name: {{ include "recarga.name" .root }}-catalog}
        {{- end }}
        {{- if $v.archive.claim }}
        - name: archive
          persistentVolumeClaim: {claimName: {{ $v.archive.claim }}}
        {{- end }}
{{- end }}
