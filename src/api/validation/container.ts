import type { Container, ContainerPort, EphemeralContainer, PodSpec } from '../generated/types.ts'
import { checkLabelName } from '../meta/names.ts'
import { isSidecar } from '../pod-status.ts'
import { checkEnv, checkEnvFrom } from './env.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkPortName, checkPortNumber } from './names.ts'
import { checkLifecycle, checkProbe } from './probe.ts'
import { checkResources } from './resources.ts'
import { checkSecurityContext } from './security-context.ts'
import { checkVolumeDevices, checkVolumeMounts, type KnownVolumes } from './volume-mount.ts'

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const
const RESTART_POLICIES = ['Always', 'Never', 'OnFailure']
const NOT_FOR_INIT = 'may not be set for init containers without restartPolicy=Always'
const NOT_FOR_EPHEMERAL = 'cannot be set for an Ephemeral Container'
const NOT_EPHEMERAL_FIELDS = ['ports', 'resources', 'lifecycle', ...PROBES, 'resizePolicy', 'restartPolicyRules'] as const

/** What a container is checked against. */
export interface ContainerScope {
  readonly spec: PodSpec
  readonly volumes: KnownVolumes
  /** Names of spec.resourceClaims. */
  readonly claims: ReadonlySet<string>
}

/** All lists of containers of `scope.spec`, which stands at `field`. */
export function checkContainers(errors: FieldErrors, field: string, scope: ContainerScope): void {
  const { spec } = scope
  const containers = spec.containers ?? []
  if (containers.length === 0) errors.required(`${field}.containers`)
  const names = new Set<string>()
  containers.forEach((container, i) => {
    const path = `${field}.containers[${i}]`
    checkContainer(errors, path, container, scope)
    checkUniqueName(errors, `${path}.name`, container.name, names)
    checkRunning(errors, path, container, scope)
  })
  checkHostPorts(errors, `${field}.containers`, containers)
  spec.initContainers?.forEach((container, i) => {
    const path = `${field}.initContainers[${i}]`
    checkContainer(errors, path, container, scope)
    checkUniqueName(errors, `${path}.name`, container.name, names)
    checkInit(errors, path, container, scope)
  })
  checkEphemeral(errors, `${field}.ephemeralContainers`, scope, names)
}

function checkContainer(errors: FieldErrors, field: string, container: Container, scope: ContainerScope): void {
  if (!container.name) errors.required(`${field}.name`)
  else errors.invalidEach(`${field}.name`, container.name, checkLabelName(container.name))
  if (!container.image) errors.required(`${field}.image`)
  checkPorts(errors, `${field}.ports`, container.ports)
  checkEnv(errors, `${field}.env`, container.env)
  checkFileKeys(errors, `${field}.env`, container, scope.volumes)
  checkEnvFrom(errors, `${field}.envFrom`, container.envFrom)
  checkVolumeMounts(errors, `${field}.volumeMounts`, container, scope.volumes)
  checkVolumeDevices(errors, `${field}.volumeDevices`, container, scope.volumes)
  checkResources(errors, `${field}.resources`, container.resources, scope)
  checkResizePolicy(errors, `${field}.resizePolicy`, container, scope)
  checkSecurityContext(errors, `${field}.securityContext`, container.securityContext, { hostUsers: scope.spec.hostUsers !== false })
}

/** Hooks, probes and restart rules: what only a container that stays may have. */
function checkRunning(errors: FieldErrors, field: string, container: Container, scope: ContainerScope): void {
  const options = { gracePeriodSeconds: scope.spec.terminationGracePeriodSeconds, os: scope.spec.os?.name }
  checkLifecycle(errors, `${field}.lifecycle`, container.lifecycle, options)
  for (const probe of PROBES) checkProbe(errors, field, probe, container[probe])
  checkRestartRules(errors, field, container)
}

function checkInit(errors: FieldErrors, field: string, container: Container, scope: ContainerScope): void {
  // init containers run one after the other: their ports only collide within one
  checkHostPorts(errors, field.replace(/\[\d+\]$/, ''), [container])
  if (isSidecar(container)) return checkRunning(errors, field, container, scope)
  checkRestartRules(errors, field, container)
  for (const key of ['lifecycle', ...PROBES] as const) if (container[key]) errors.forbidden(`${field}.${key}`, NOT_FOR_INIT)
  container.resizePolicy?.forEach((policy, i) => {
    if (policy.restartPolicy !== 'RestartContainer') return
    const text = "must not be set to 'RestartContainer' for non-sidecar initContainers"
    errors.invalid(`${field}.resizePolicy[${i}].restartPolicy`, policy.restartPolicy, text)
  })
}

function checkEphemeral(errors: FieldErrors, field: string, scope: ContainerScope, names: Set<string>): void {
  const others = new Set(names)
  scope.spec.ephemeralContainers?.forEach((container: EphemeralContainer, i) => {
    const path = `${field}[${i}]`
    checkContainer(errors, path, container, scope)
    checkUniqueName(errors, `${path}.name`, container.name, names)
    const target = container.targetContainerName
    if (target && !others.has(target)) errors.notFound(`${path}.targetContainerName`, target)
    for (const key of NOT_EPHEMERAL_FIELDS) {
      if (Object.keys(container[key] ?? {}).length > 0) errors.forbidden(`${path}.${key}`, NOT_FOR_EPHEMERAL)
    }
    container.volumeMounts?.forEach((mount, j) => {
      for (const key of ['subPath', 'subPathExpr'] as const) {
        if (mount[key]) errors.forbidden(`${path}.volumeMounts[${j}].${key}`, NOT_FOR_EPHEMERAL)
      }
    })
  })
}

function checkUniqueName(errors: FieldErrors, field: string, name: string, names: Set<string>): void {
  if (names.has(name)) errors.duplicate(field, name)
  else if (name) names.add(name)
}

function checkPorts(errors: FieldErrors, field: string, ports: readonly ContainerPort[] | undefined): void {
  const names = new Set<string>()
  ports?.forEach((port, i) => {
    const path = `${field}[${i}]`
    if (port.name) {
      const problems = checkPortName(port.name)
      errors.invalidEach(`${path}.name`, port.name, problems)
      if (problems.length === 0) checkUniqueName(errors, `${path}.name`, port.name, names)
    }
    if (!port.containerPort) errors.required(`${path}.containerPort`)
    else errors.invalidEach(`${path}.containerPort`, port.containerPort, checkPortNumber(port.containerPort))
    if (port.hostPort) errors.invalidEach(`${path}.hostPort`, port.hostPort, checkPortNumber(port.hostPort))
  })
}

function checkHostPorts(errors: FieldErrors, field: string, containers: readonly Container[]): void {
  const seen = new Set<string>()
  containers.forEach((container, i) => {
    container.ports?.forEach((port, j) => {
      if (!port.hostPort) return
      const key = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`
      if (seen.has(key)) errors.duplicate(`${field}[${i}].ports[${j}].hostPort`, key)
      seen.add(key)
    })
  })
}

function checkFileKeys(errors: FieldErrors, field: string, container: Container, volumes: KnownVolumes): void {
  container.env?.forEach((variable, i) => {
    const name = variable.valueFrom?.fileKeyRef?.volumeName
    if (!name) return
    const path = `${field}[${i}].valueFrom.fileKeyRef.volumeName`
    const volume = volumes.get(name)
    if (!volume) errors.notFound(path, name)
    else if (!volume.emptyDir) errors.invalid(path, name, 'referenced volume must be of type emptyDir')
  })
}

function checkResizePolicy(errors: FieldErrors, field: string, container: Container, scope: ContainerScope): void {
  const seen = new Set<string>()
  container.resizePolicy?.forEach((policy, i) => {
    if (seen.has(policy.resourceName)) errors.duplicate(`${field}[${i}]`, policy.resourceName)
    seen.add(policy.resourceName)
    errors.oneOf(field, policy.resourceName, ['cpu', 'memory'])
    if (scope.spec.restartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired') {
      errors.invalid(field, policy.restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
    }
  })
}

function checkRestartRules(errors: FieldErrors, field: string, container: Container): void {
  const rules = container.restartPolicyRules ?? []
  if (container.restartPolicy === undefined) {
    if (rules.length > 0) errors.required(`${field}.restartPolicy`, 'must specify restartPolicy when restart rules are used')
  } else {
    errors.oneOf(`${field}.restartPolicy`, container.restartPolicy, RESTART_POLICIES)
  }
  if (rules.length > 20) errors.tooMany(`${field}.restartPolicyRules`, rules.length, 20)
  rules.forEach((rule, i) => {
    const path = `${field}.restartPolicyRules[${i}]`
    if (rule.action === 'RestartAllContainers') errors.notSupported(`${path}.action`, rule.action, ['Restart'])
    if (!rule.exitCodes) return errors.required(`${path}.exitCodes`, 'must be specified')
    const count = rule.exitCodes.values?.length ?? 0
    if (count > 255) errors.tooMany(`${path}.exitCodes.values`, count, 255)
  })
}
