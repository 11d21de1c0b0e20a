import type { Container, ContainerStatus, EnvVar, PodSpec, Probe, Volume } from '../../api/generated/types.ts'
import { fieldLines, type Field } from './fields.ts'

/** The containers of a pod or of a template. @param statuses of a pod that runs */
export function containerLines(
  title: string,
  containers: readonly Container[] | undefined,
  statuses?: readonly ContainerStatus[],
): readonly string[] {
  if (!containers || containers.length === 0) return []
  return [
    `${title}:`,
    ...containers.flatMap((container) => {
      const status = statuses?.find(({ name }) => name === container.name)
      return [`  ${container.name}:`, ...fieldLines([...specFields(container), ...statusFields(status), ...tailFields(container)], 4)]
    }),
  ]
}

/** The part `Volumes:`. */
export function volumeLines(volumes: PodSpec['volumes']): readonly string[] {
  if (!volumes || volumes.length === 0) return []
  return ['Volumes:', ...volumes.flatMap((volume) => [`  ${volume.name}:`, ...fieldLines(volumeFields(volume), 4)])]
}

function specFields(container: Container): readonly Field[] {
  const ports = container.ports?.map(
    ({ containerPort, protocol = 'TCP', name }) => `${containerPort}/${protocol}${name ? ` (${name})` : ''}`,
  )
  return [
    ['Image', container.image],
    ['Ports', ports && ports.length > 0 ? ports.join(', ') : undefined],
    ['Command', container.command],
    ['Args', container.args],
  ]
}

function statusFields(status: ContainerStatus | undefined): readonly Field[] {
  if (!status) return []
  return [
    ['Container ID', status.containerID],
    ['State', stateText(status.state)],
    ['Last State', status.lastState && Object.keys(status.lastState).length > 0 ? stateText(status.lastState) : undefined],
    ['Ready', status.ready ? 'True' : 'False'],
    ['Restart Count', String(status.restartCount)],
  ]
}

function tailFields(container: Container): readonly Field[] {
  const list = (map: Record<string, string> | undefined): string[] | undefined =>
    map && Object.entries(map).map(([key, value]) => `${key}: ${value}`)
  return [
    ['Limits', list(container.resources?.limits)],
    ['Requests', list(container.resources?.requests)],
    ['Liveness', probeText(container.livenessProbe)],
    ['Readiness', probeText(container.readinessProbe)],
    ['Startup', probeText(container.startupProbe)],
    ['Environment', (container.env ?? []).map(envText)],
    [
      'Environment From',
      container.envFrom?.map(({ configMapRef, secretRef }) =>
        configMapRef ? `ConfigMap ${configMapRef.name}` : `Secret ${secretRef?.name}`,
      ),
    ],
    [
      'Mounts',
      (container.volumeMounts ?? []).map(({ mountPath, name, readOnly }) => `${mountPath} from ${name} (${readOnly ? 'ro' : 'rw'})`),
    ],
  ]
}

function envText({ name, value, valueFrom }: EnvVar): string {
  const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom ?? {}
  if (fieldRef) return `${name}: (${fieldRef.apiVersion ?? 'v1'}:${fieldRef.fieldPath})`
  if (configMapKeyRef) return `${name}: <set to the key '${configMapKeyRef.key}' of config map '${configMapKeyRef.name}'>`
  if (secretKeyRef) return `${name}: <set to the key '${secretKeyRef.key}' in secret '${secretKeyRef.name}'>`
  if (resourceFieldRef) return `${name}: (${resourceFieldRef.resource})`
  return `${name}: ${value ?? ''}`
}

/** As kubectl puts a container's state. */
export function stateText(state: ContainerStatus['state']): string {
  const { running, waiting, terminated } = state ?? {}
  if (running) return `Running since ${running.startedAt ?? '<unknown>'}`
  if (waiting) return [`Waiting: ${waiting.reason ?? ''}`, ...(waiting.message ? [waiting.message] : [])].join('\n')
  if (!terminated) return 'Waiting'
  const { reason = '', exitCode, signal, startedAt, finishedAt, message } = terminated
  const how = `Terminated: ${reason} (exit code ${exitCode}${signal ? `, signal ${signal}` : ''})`
  return [how, `from ${startedAt ?? '<unknown>'} to ${finishedAt ?? '<unknown>'}`, ...(message ? [message] : [])].join('\n')
}

function probeText(probe: Probe | undefined): string | undefined {
  if (!probe) return undefined
  const {
    httpGet,
    tcpSocket,
    exec,
    grpc,
    initialDelaySeconds = 0,
    timeoutSeconds = 1,
    periodSeconds = 10,
    successThreshold = 1,
    failureThreshold = 3,
  } = probe
  const what = httpGet
    ? `http-get ${(httpGet.scheme ?? 'HTTP').toLowerCase()}://${httpGet.host ?? ''}:${httpGet.port}${httpGet.path ?? '/'}`
    : tcpSocket
      ? `tcp-socket ${tcpSocket.host ?? ''}:${tcpSocket.port}`
      : exec
        ? `exec [${(exec.command ?? []).join(' ')}]`
        : `grpc :${grpc?.port ?? ''} ${grpc?.service ?? ''}`.trim()
  return `${what} delay=${initialDelaySeconds}s timeout=${timeoutSeconds}s period=${periodSeconds}s #success=${successThreshold} #failure=${failureThreshold}`
}

function volumeFields(volume: Volume): readonly Field[] {
  const { name: _name, ...sources } = volume
  const [source] = Object.entries(sources).filter(([, value]) => value !== undefined)
  if (!source) return [['Type', 'EmptyDir']]
  const [type, value] = source
  const details = Object.entries((value ?? {}) as Record<string, unknown>).filter(([, one]) => typeof one !== 'object')
  return [
    ['Type', type.slice(0, 1).toUpperCase() + type.slice(1)],
    ...details.map(([key, one]): Field => [key, String(one as string | number | boolean)]),
  ]
}
