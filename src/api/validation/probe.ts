import type { ExecAction, GRPCAction, HTTPGetAction, Lifecycle, Probe, SleepAction, TCPSocketAction } from '../generated/types.ts'
import { type FieldErrors } from './field-errors.ts'
import { checkHttpHeader, checkPortName, checkPortNumber } from './names.ts'

const PROBE_COUNTS = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const

export type ProbeName = 'livenessProbe' | 'readinessProbe' | 'startupProbe'

/** A probe of a container at `${field}.${name}`; absent is fine. */
export function checkProbe(errors: FieldErrors, field: string, name: ProbeName, probe: Probe | undefined): void {
  if (!probe) return
  const path = `${field}.${name}`
  checkHandler(errors, path, probe, { gracePeriodSeconds: undefined })
  for (const key of PROBE_COUNTS) errors.nonNegative(`${path}.${key}`, probe[key])
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) errors.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0')
  if (name === 'readinessProbe') {
    if (grace !== undefined) errors.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes')
  } else if (probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    errors.invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1')
  }
}

/** Hooks of a container. Sleeping must fit into the pod's grace period. */
export function checkLifecycle(
  errors: FieldErrors,
  field: string,
  lifecycle: Lifecycle | undefined,
  options: { readonly gracePeriodSeconds: number | undefined; readonly os: string | undefined },
): void {
  if (lifecycle?.postStart) checkHandler(errors, `${field}.postStart`, lifecycle.postStart, options)
  if (lifecycle?.preStop) checkHandler(errors, `${field}.preStop`, lifecycle.preStop, options)
  if (lifecycle?.stopSignal === undefined) return
  if (options.os === undefined) errors.forbidden(`${field}.stopSignal`, 'may not be set for containers with empty `spec.os.name`')
  else if (!STOP_SIGNAL.test(lifecycle.stopSignal)) errors.notSupported(`${field}.stopSignal`, lifecycle.stopSignal, STOP_SIGNALS)
}

/** A port by number or by the name it has in the container. */
export function checkPort(errors: FieldErrors, field: string, port: number | string | undefined): void {
  if (typeof port === 'string') errors.invalidEach(field, port, checkPortName(port))
  else errors.invalidEach(field, port ?? 0, checkPortNumber(port ?? 0))
}

interface Handler {
  readonly exec?: ExecAction | undefined
  readonly httpGet?: HTTPGetAction | undefined
  readonly tcpSocket?: TCPSocketAction | undefined
  readonly grpc?: GRPCAction | undefined
  readonly sleep?: SleepAction | undefined
}

function checkHandler(
  errors: FieldErrors,
  field: string,
  handler: Handler,
  options: { readonly gracePeriodSeconds: number | undefined },
): void {
  let handlers = 0
  const isFirst = (name: keyof Handler): boolean => {
    if (!handler[name]) return false
    handlers++
    if (handlers > 1) errors.forbidden(`${field}.${name}`, 'may not specify more than 1 handler type')
    return handlers === 1
  }
  if (isFirst('exec') && !handler.exec?.command?.length) errors.required(`${field}.exec.command`)
  if (isFirst('httpGet')) checkHttpGet(errors, `${field}.httpGet`, handler.httpGet!)
  if (isFirst('tcpSocket')) checkPort(errors, `${field}.tcpSocket.port`, handler.tcpSocket!.port)
  if (isFirst('grpc')) checkPort(errors, `${field}.grpc.port`, handler.grpc!.port)
  if (isFirst('sleep')) checkSleep(errors, `${field}.sleep`, handler.sleep!.seconds, options)
  if (handlers === 0) errors.required(field, 'must specify a handler type')
}

function checkHttpGet(errors: FieldErrors, field: string, action: HTTPGetAction): void {
  if (action.path === '') errors.required(`${field}.path`)
  checkPort(errors, `${field}.port`, action.port)
  for (const header of action.httpHeaders ?? []) {
    errors.invalidEach(`${field}.httpHeaders`, header.name, checkHttpHeader(header.name))
  }
}

function checkSleep(
  errors: FieldErrors,
  field: string,
  seconds: number,
  options: { readonly gracePeriodSeconds: number | undefined },
): void {
  const graceSeconds = options.gracePeriodSeconds
  if (graceSeconds === undefined || (seconds >= 0 && seconds <= graceSeconds)) return
  errors.invalid(field, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`)
}

const STOP_SIGNALS = (
  'SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL SIGPROF ' +
  'SIGPWR SIGQUIT SIGRTMAX SIGRTMIN SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 ' +
  'SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ'
).split(' ')
const STOP_SIGNAL = new RegExp(`^(${STOP_SIGNALS.join('|')}|SIGRTMIN\\+([1-9]|1[0-5])|SIGRTMAX-([1-9]|1[0-4]))$`)
