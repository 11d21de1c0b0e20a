import type { Container, EphemeralContainer, PodSpec } from '../generated/types.ts'
import { containersWithPath } from '../pod-status.ts'
import { quantityNanos } from './quantities.ts'

/**
 * Texts for `Warning` headers: what is accepted and yet most likely a mistake.
 * Source: k8s.io/kubernetes pkg/api/pod.GetWarningsForPodTemplate.
 */
export function podSpecWarnings(spec: PodSpec | undefined, field: string): readonly string[] {
  if (!spec) return []
  const warnings: string[] = []
  const grace = spec.terminationGracePeriodSeconds
  if (grace !== undefined && grace < 0) {
    warnings.push(`${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`)
  }
  for (const { path, container } of containersWithPath(spec, field)) {
    warnings.push(...repeatedPorts(path, container), ...repeatedVariables(path, container), ...fractionalBytes(path, container))
  }
  return warnings
}

function repeatedPorts(path: string, container: Container | EphemeralContainer): string[] {
  const warnings: string[] = []
  const seen = new Map<string, string>()
  container.ports?.forEach((port, i) => {
    const here = `${path}.ports[${i}]`
    const key = `${port.containerPort}/${port.protocol ?? 'TCP'}/${port.hostPort ?? 0}/${port.hostIP ?? ''}`
    const first = seen.get(key)
    if (first) warnings.push(`${here}: duplicate port definition with ${first}`)
    else seen.set(key, here)
  })
  return warnings
}

function repeatedVariables(path: string, container: Container | EphemeralContainer): string[] {
  const warnings: string[] = []
  const seen = new Set<string>()
  container.env?.forEach(({ name, value }, i) => {
    // a value that mentions its own name extends the definition before it
    if (seen.has(name) && !value?.includes(`$(${name})`)) {
      warnings.push(`${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`)
    }
    seen.add(name)
  })
  return warnings
}

function fractionalBytes(path: string, container: Container | EphemeralContainer): string[] {
  const warnings: string[] = []
  for (const list of ['limits', 'requests'] as const) {
    for (const name of ['memory', 'ephemeral-storage']) {
      const text = container.resources?.[list]?.[name]
      if ((quantityNanos(text) ?? 0n) % 1_000_000_000n === 0n) continue
      warnings.push(`${path}.resources.${list}[${name}]: fractional byte value ${JSON.stringify(text)} is invalid, must be an integer`)
    }
  }
  return warnings
}
