package metrics

import "recarga/webhook"

func (m *Metrics) defineWebhooks() {
	m.webhooks = m.counters(each("delivered", "failed", "exhausted", "refused", "kept", "proxy"),
		"recarga_webhook_tries_total")
	m.webhookSeconds = m.histograms(webhookTry, "recarga_webhook_try_seconds")
	m.disabled = m.counters(alone(), "recarga_webhook_disablements_total")
	m.endpointsDisabled = m.desc(gauge, "recarga_webhook_endpoints_disabled")
	m.endpointsFailing = m.desc(gauge, "recarga_webhook_endpoints_failing")
	m.events = m.desc(gauge, "recarga_events")
	m.undeliveredAge = m.desc(gauge, "recarga_event_undelivered_oldest_age_seconds")
	m.eventDueAge = m.desc(gauge, "recarga_event_due_oldest_age_seconds")
}

// Tried counts a try of an event; it is webhook.Config.Observe.
func (m *Metrics) Tried(t webhook.Tried) {
	m.webhooks.WithLabelValues(string(t.Outcome)).Inc()
	if t.Outcome != webhook.TryRefused {
		m.webhookSeconds.WithLabelValues(string(t.Outcome)).Observe(t.Took.Seconds())
	}
}
