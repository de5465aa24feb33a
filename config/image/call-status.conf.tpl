
// jibri-finalize: call-status time-outs, which the template above does not have.
{{ with .Env.JIBRI_NO_MEDIA_TIMEOUT -}}
jibri.call-status-checks.no-media-timeout = "{{ . }}"
{{ end -}}
{{ with .Env.JIBRI_ALL_MUTED_TIMEOUT -}}
jibri.call-status-checks.all-muted-timeout = "{{ . }}"
{{ end -}}
{{ with .Env.JIBRI_DEFAULT_CALL_EMPTY_TIMEOUT -}}
jibri.call-status-checks.default-call-empty-timeout = "{{ . }}"
{{ end -}}
