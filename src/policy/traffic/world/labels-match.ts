/** Whether labels hold all of a selector's. */
export function labelsMatch(labels: Readonly<Record<string, string>> | undefined, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([label, value]) => labels?.[label] === value)
}
