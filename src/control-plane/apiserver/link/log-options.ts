import type { Pod } from '../../../api/generated/types.ts'
import type { FieldError } from '../../../api/kind.ts'
import { StatusError } from '../../../base/errors.ts'
import type { ContainerLogQuery } from '../../../protocols/node-link.ts'
import { firstOf, flagOf, type Query } from '../http/query.ts'
import { invalid } from '../registry/status-errors.ts'

/**
 * Reads the query of `GET .../pods/<pod>/log`, but for `container`. Source: k8s.io/kubernetes ValidatePodLogOptions.
 * @throws {StatusError} `BadRequest` for numbers that are none, `Invalid` for values that cannot be
 */
export function readLogQuery(query: Query | undefined, pod: string): ContainerLogQuery {
  const tailLines = readNumber(query, 'tailLines')
  const sinceSeconds = readNumber(query, 'sinceSeconds')
  const limitBytes = readNumber(query, 'limitBytes')
  const sinceTime = firstOf(query, 'sinceTime')
  const errors = [
    ...(tailLines !== undefined && tailLines < 0 ? [wrong('tailLines', tailLines, 'must be greater than or equal to 0')] : []),
    ...(limitBytes !== undefined && limitBytes < 1 ? [wrong('limitBytes', limitBytes, 'must be greater than 0')] : []),
    ...(sinceSeconds !== undefined && sinceSeconds < 1 ? [wrong('sinceSeconds', sinceSeconds, 'must be greater than 0')] : []),
    ...(sinceSeconds !== undefined && sinceTime !== undefined ? [BOTH_SINCE] : []),
    ...checkStream(firstOf(query, 'stream')),
  ]
  if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, pod, errors)
  if (sinceTime !== undefined && !isTime(sinceTime))
    throw new StatusError('BadRequest', `sinceTime is not a RFC 3339 time: ${JSON.stringify(sinceTime)}`)
  return {
    ...(flagOf(query, 'follow') ? { follow: true } : {}),
    ...(flagOf(query, 'previous') ? { previous: true } : {}),
    ...(flagOf(query, 'timestamps') ? { timestamps: true } : {}),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

/** The container whose log is meant. @throws {StatusError} `BadRequest` when the name is missing and not obvious, or not in the pod */
export function chooseContainer(pod: Pod, asked: string | undefined): string {
  const containers = namesOf(pod.spec?.containers)
  const init = namesOf(pod.spec?.initContainers)
  if (asked) {
    if (![...containers, ...init, ...namesOf(pod.spec?.ephemeralContainers)].includes(asked)) {
      throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${pod.metadata.name}`)
    }
    return asked
  }
  const [only] = containers
  if (only !== undefined && containers.length === 1) return only
  const others = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`
  const choice = containers.length === 0 ? '' : `, choose one of: [${containers.join(' ')}]${others}`
  throw new StatusError('BadRequest', `a container name must be specified for pod ${pod.metadata.name}${choice}`)
}

/** Refuses what the pod's status says has no log yet. Source: k8s.io/kubernetes kubelet validateContainerLogStatus. */
export function checkStarted(pod: Pod, container: string, previous: boolean): void {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {}
  const status = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(({ name }) => name === container)
  const which = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)}`
  if (status?.lastState?.terminated) return
  if (previous && status) throw new StatusError('BadRequest', `previous terminated ${which} not found`)
  const reason = status?.state?.waiting?.reason
  if (!status?.state?.waiting) return
  if (reason === 'ErrImagePull') throw new StatusError('BadRequest', `${which} is waiting to start: image can't be pulled`)
  if (reason === 'ImagePullBackOff') throw new StatusError('BadRequest', `${which} is waiting to start: trying and failing to pull image`)
  throw new StatusError('BadRequest', reason ? `${which} is waiting to start: ${reason}` : `${which} is waiting to start - no logs yet`)
}

const BOTH_SINCE: FieldError = {
  type: 'FieldValueForbidden',
  field: 'sinceSeconds',
  message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
}

function checkStream(stream: string | undefined): FieldError[] {
  if (stream === undefined || stream === 'All') return []
  return [
    { type: 'FieldValueNotSupported', field: 'stream', message: `Unsupported value: ${JSON.stringify(stream)}: supported values: "All"` },
  ]
}

function readNumber(query: Query | undefined, name: string): number | undefined {
  const text = firstOf(query, name)
  if (text === undefined || text === '') return undefined
  if (!/^-?\d{1,15}$/.test(text)) throw new StatusError('BadRequest', `${name} is not a whole number: ${JSON.stringify(text)}`)
  return Number(text)
}

function wrong(field: string, value: number, why: string): FieldError {
  return { type: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` }
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text))
}

function namesOf(containers: readonly { readonly name?: string | undefined }[] | undefined): string[] {
  return (containers ?? []).flatMap(({ name }) => name ?? [])
}
