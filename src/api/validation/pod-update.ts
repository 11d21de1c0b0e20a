import type { Container, ContainerStatus, Pod, PodSpec, PodSchedulingGate, Toleration } from '../generated/types.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkIp, isDualStack } from './ip.ts'
import { checkRange } from './names.ts'
import { semanticEqual } from './semantic-equal.ts'

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
]
const MAX_INT32 = 2 ** 31 - 1

/** What may change in a pod's spec once it exists. Source: k8s.io/kubernetes core/validation.ValidatePodUpdate. */
export function checkPodUpdate(errors: FieldErrors, next: PodSpec, previous: PodSpec): void {
  for (const list of ['containers', 'initContainers'] as const) {
    if ((next[list]?.length ?? 0) !== (previous[list]?.length ?? 0)) {
      return errors.forbidden(`spec.${list}`, 'pod updates may not add or remove containers')
    }
  }
  if (!checkDeadline(errors, next.activeDeadlineSeconds, previous.activeDeadlineSeconds)) return
  checkAddedTolerations(errors, next.tolerations ?? [], previous.tolerations ?? [])
  checkRemovedGates(errors, next.schedulingGates ?? [], previous.schedulingGates ?? [])
  const masked = maskUpdatable(next, previous)
  if (previous.schedulingGates?.length) maskGated(errors, masked, previous)
  const changed = changedKeys(masked, previous)
  if (changed.length === 0) return
  const detail = `pod updates may not change fields other than ${UPDATABLE.join(',')}\n  changed: ${changed.join(', ')}`
  errors.forbidden('spec', detail)
}

/** What a write to `status` may not do. Source: k8s.io/kubernetes core/validation.ValidatePodStatusUpdate. */
export function checkPodStatusUpdate(errors: FieldErrors, next: Pod, previous: Pod): void {
  errors.immutable('status.qosClass', next.status?.qosClass, previous.status?.qosClass)
  for (const list of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const) {
    const after = next.status?.[list] ?? []
    for (const [i, before] of (previous.status?.[list] ?? []).entries()) {
      const now = after.find((status) => status.name === before.name)
      if (!before.state?.terminated || !now || now.state?.terminated) continue
      if (list === 'ephemeralContainerStatuses' || !mayRestart(previous.spec, before)) {
        errors.forbidden(`status.${list}[${i}].state`, 'may not be transitioned to non-terminated state')
      }
    }
  }
  for (const list of ['podIPs', 'hostIPs'] as const) {
    const addresses = (next.status?.[list] ?? []).map((one) => one.ip)
    addresses.forEach((address, i) => checkIp(errors, `status.${list}[${i}]`, address))
    if (addresses.length > 2 || (addresses.length === 2 && !isDualStack(addresses))) {
      errors.invalid(`status.${list}`, next.status?.[list], 'may specify no more than one IP for each IP family')
    }
  }
}

/** The ephemeralcontainers subresource: containers may be added, never changed or removed. */
export function checkEphemeralContainersUpdate(errors: FieldErrors, next: PodSpec, previous: PodSpec): void {
  for (const old of previous.ephemeralContainers ?? []) {
    const now = next.ephemeralContainers?.find((container) => container.name === old.name)
    const name = JSON.stringify(old.name)
    if (!now) errors.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${name} may not be removed\n`)
    else if (!semanticEqual(now, old)) {
      errors.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${name} may not be changed\n`)
    }
  }
}

function checkDeadline(errors: FieldErrors, next: number | undefined, previous: number | undefined): boolean {
  const field = 'spec.activeDeadlineSeconds'
  const before = errors.list.length
  if (next === undefined) {
    if (previous !== undefined) errors.invalid(field, undefined, 'must not update from a positive integer to nil value')
    return true
  }
  const problems = checkRange(next, 0, MAX_INT32)
  errors.invalidEach(field, next, problems)
  if (problems.length === 0 && previous !== undefined && previous < next) {
    errors.invalid(field, next, 'must be less than or equal to previous value')
  }
  return errors.list.length === before
}

function checkAddedTolerations(errors: FieldErrors, next: readonly Toleration[], previous: readonly Toleration[]): void {
  const kept = (old: Toleration): boolean =>
    next.some((one) => semanticEqual({ ...one, tolerationSeconds: undefined }, { ...old, tolerationSeconds: undefined }))
  if (previous.every(kept)) return
  errors.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')
}

function checkRemovedGates(errors: FieldErrors, next: readonly PodSchedulingGate[], previous: readonly PodSchedulingGate[]): void {
  const had = new Set(previous.map((gate) => gate.name))
  next.forEach(({ name }, i) => {
    if (had.has(name)) return
    errors.forbidden(`spec.schedulingGates[${i}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)
  })
}

/** The new spec with everything that may change put back. */
function maskUpdatable(next: PodSpec, previous: PodSpec): PodSpec {
  const withOldImages = (list: readonly Container[] | undefined, old: readonly Container[] | undefined): Container[] =>
    (list ?? []).map((container, i) => ({ ...container, image: old?.[i]?.image }))
  const wasNegative = (previous.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1
  return {
    ...next,
    containers: withOldImages(next.containers, previous.containers),
    initContainers: withOldImages(next.initContainers, previous.initContainers),
    activeDeadlineSeconds: previous.activeDeadlineSeconds,
    tolerations: previous.tolerations,
    schedulingGates: previous.schedulingGates,
    ...(wasNegative ? { terminationGracePeriodSeconds: previous.terminationGracePeriodSeconds } : {}),
  }
}

/** A pod behind scheduling gates may still narrow down where it can run. */
function maskGated(errors: FieldErrors, masked: PodSpec, previous: PodSpec): void {
  const kept = Object.entries(previous.nodeSelector ?? {}).every(([key, value]) => masked.nodeSelector?.[key] === value)
  if (!kept) {
    const text = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'
    errors.invalid('spec.nodeSelector', masked.nodeSelector, text)
  }
  masked.nodeSelector = previous.nodeSelector
  const required = previous.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (!required) masked.affinity = { ...masked.affinity, nodeAffinity: previous.affinity?.nodeAffinity }
}

function changedKeys(next: PodSpec, previous: PodSpec): string[] {
  const [after, before] = [next as unknown as Record<string, unknown>, previous as unknown as Record<string, unknown>]
  return Object.keys({ ...before, ...after }).filter((key) => !semanticEqual(after[key], before[key]))
}

function mayRestart(spec: PodSpec | undefined, status: ContainerStatus): boolean {
  const own = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find((container) => container.name === status.name)
  if (own?.restartPolicyRules?.length) return true
  const policy = own?.restartPolicy ?? spec?.restartPolicy ?? 'Always'
  return policy === 'Always' || (policy === 'OnFailure' && status.state?.terminated?.exitCode !== 0)
}
