package metrics

import "recarga/webhook"

func (m *Metrics) defineWebhooks() {
	m.webhooks = m.counters(each("delivered", "failed", "exhausted", "refused"), "recarga_webhook_tries_total",
		"Tries to deliver events, by outcome: delivered; failed, and will be tried again; exhausted, the last one; "+
			"refused, nothing was sent, since there is no endpoint or none that may be used.", "outcome")
	m.webhookSeconds = m.histograms(quick, "recarga_webhook_try_seconds", "Time of the tries that were sent, by outcome.",
		"outcome")
	m.disabled = m.counters(alone(), "recarga_webhook_endpoints_disabled_total",
		"Endpoints that this process disabled: they answered 410, or failed for RECARGA_WEBHOOK_DISABLE_AFTER.")
	m.endpointsDisabled = m.desc(gauge, "recarga_webhook_endpoints_disabled",
		"Endpoints that are disabled. From the book of record.")
	m.events = m.desc(gauge, "recarga_events",
		"Events by how far their delivery got: pending, exhausted. From the book of record.", "state")
	m.eventDueAge = m.desc(gauge, "recarga_event_due_oldest_age_seconds",
		"How long the oldest event that nobody has tried has been due; 0 when there is none. From the book of record.")
}

// Tried counts a try of an event; it is webhook.Config.Observe.
func (m *Metrics) Tried(t webhook.Tried) {
	m.webhooks.WithLabelValues(string(t.Outcome)).Inc()
	if t.Outcome != webhook.TryRefused {
		m.webhookSeconds.WithLabelValues(string(t.Outcome)).Observe(t.Took.Seconds())
	}
}
