/** An instant as the API writes it: RFC 3339 in UTC with whole seconds, `2026-01-31T12:00:00Z`. */
export function timestamp(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`
}

/** As timestamp, with microseconds: leases and events have these. Source: k8s.io/apimachinery metav1.MicroTime. */
export function microTimestamp(unixMs: number): string {
  return new Date(unixMs).toISOString().replace('Z', '000Z')
}
