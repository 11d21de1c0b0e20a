import { pods } from '../../api/core/v1/pod.ts'
import type { Pod } from '../../api/generated/types.ts'
import { resourcePath } from '../../client/resource-path.ts'
import { connect, type Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import { didYouMean } from '../errors/did-you-mean.ts'
import { findKind } from '../objects/find-kind.ts'
import { podsOf } from '../objects/pods-of.ts'
import type { ConnectOptions } from '../program/options.ts'

interface LogsOptions extends ConnectOptions {
  readonly pod: string
  readonly container?: string
  readonly follow?: boolean
  readonly previous?: boolean
  readonly since?: number
  readonly sinceTime?: string
  readonly tail?: number
  readonly limitBytes?: number
  readonly timestamps?: boolean
}

/** `biplane logs`. */
export async function runLogs(context: CliContext, options: LogsOptions): Promise<void> {
  if (options.since !== undefined && options.sinceTime !== undefined) throw usageError('--since and --since-time exclude each other')
  await using session = connect(context, options)
  const pod = await findPod(context, session, options.pod)
  const container = chooseContainer(context, pod, options.container)
  const signal = options.follow ? context.takeSignals().signal : undefined
  const { namespace, name } = pod.metadata
  try {
    const response = await session.client.transport.send({
      method: 'GET',
      path: resourcePath(pods, { namespace, name, subresource: 'log' }),
      query: logQuery(options, container),
      ...(signal ? { signal } : {}),
    })
    const decoder = new TextDecoder()
    for await (const chunk of response.stream()) context.out.write(decoder.decode(chunk, { stream: true }))
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

function logQuery(options: LogsOptions, container: string): Record<string, string> {
  const { follow, previous, since, sinceTime, tail, limitBytes, timestamps } = options
  return {
    container,
    ...(follow ? { follow: 'true' } : {}),
    ...(previous ? { previous: 'true' } : {}),
    ...(timestamps ? { timestamps: 'true' } : {}),
    ...(since === undefined ? {} : { sinceSeconds: String(Math.max(1, Math.ceil(since / 1000))) }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    ...(tail === undefined ? {} : { tailLines: String(tail) }),
    ...(limitBytes === undefined ? {} : { limitBytes: String(limitBytes) }),
  }
}

/** `POD`, or the first pod of `KIND/NAME`. */
async function findPod(context: CliContext, session: Session, text: string): Promise<Pod> {
  const [kindText, name, ...more] = text.split('/')
  const { namespace } = session
  if (name === undefined) return session.client.of(pods).get(text, { namespace })
  if (!kindText || !name || more.length > 0) throw usageError(`"${text}" is neither POD nor KIND/NAME`)
  const kind = await findKind(session.discovery, kindText)
  const object = await session.client.of(kind).get(name, { namespace: kind.namespaced ? namespace : undefined })
  const found = await podsOf(session, kind, object)
  const [first] = found
  if (!first) throw new CliError(`${text} has no pods in namespace ${namespace}`, { fix: `see why with: biplane describe ${text}` })
  if (found.length > 1) context.err.write(`Found ${found.length} pods, using pod/${first.metadata.name}\n`)
  return first
}

function chooseContainer(context: CliContext, pod: Pod, wanted: string | undefined): string {
  const names = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map(({ name }) => name)
  if (wanted !== undefined) {
    if (names.includes(wanted)) return wanted
    const fix = didYouMean(wanted, names) ?? `choose one of ${names.join(', ')}`
    throw new CliError(`pod ${pod.metadata.name} has no container "${wanted}"`, { fix })
  }
  const annotated = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  const chosen = annotated !== undefined && names.includes(annotated) ? annotated : (names[0] ?? '')
  if ((pod.spec?.containers.length ?? 0) > 1 && chosen !== annotated) {
    context.err.write(`Defaulted container "${chosen}" out of: ${names.join(', ')}\n`)
  }
  return chosen
}
