import type { ExplainAnswer, PoliciesAnswer, ProxiesAnswer, StrictAnswer, ConfigAnswer, DryRunAnswer } from '../../protocols/mesh-view.ts'
import { MESH_VIEW_PATH } from '../../protocols/mesh-view.ts'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseManifests } from '../../api/yaml.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../errors/cli-error.ts'
import { askMesh } from '../mesh/ask-mesh.ts'
import { explainText, policiesTable, proxiesTable, strictText } from '../mesh/proxies-report.ts'
import { printJson } from '../print/print-objects.ts'
import { formatTable } from '../print/table.ts'
import type { ConnectOptions } from '../program/options.ts'

type Output = ConnectOptions & { readonly output?: string }

/** `biplane proxies`: 1 where one has refused something. */
export async function runProxies(context: CliContext, options: Output): Promise<number> {
  await using session = connect(context, options)
  const answer = await askMesh<ProxiesAnswer>(session.client, '/proxies')
  if (options.output === 'json') context.out.write(printJson(answer))
  else {
    const table = proxiesTable(answer, { wide: options.output === 'wide', nowMs: context.clock.now() })
    if (table === '') context.err.write('No proxies found: label a namespace with kuma.io/sidecar-injection=enabled\n')
    else context.out.write(table)
  }
  return answer.proxies.some(({ types }) => types.some(({ refused }) => refused)) ? 1 : 0
}

/** `biplane proxy config POD`. */
export async function runProxyConfig(
  context: CliContext,
  pod: string,
  options: Output & { readonly type: readonly string[] },
): Promise<void> {
  await using session = connect(context, options)
  const name = pod.includes('.') ? pod : `${pod}.${session.namespace}`
  const query = options.type.length > 0 ? { type: options.type } : {}
  context.out.write(printJson(await askMesh<ConfigAnswer>(session.client, `/proxies/${encodeURIComponent(name)}/config`, query)))
}

/** `biplane proxy policies`: 1 where one is not in force. */
export async function runProxyPolicies(context: CliContext, options: Output): Promise<number> {
  await using session = connect(context, options)
  const answer = await askMesh<PoliciesAnswer>(session.client, '/policies')
  if (options.output === 'json') context.out.write(printJson(answer))
  else context.out.write(policiesTable(answer) || 'No policies found\n')
  return answer.policies.some(({ refused }) => refused.length > 0) ? 1 : 0
}

interface ExplainOptions extends Output {
  readonly method?: string
  readonly path?: string
  readonly header: readonly string[]
}

/** `biplane proxy explain FROM TO`: 1 where the call would not be answered. */
export async function runProxyExplain(context: CliContext, from: string, to: string, options: ExplainOptions): Promise<number> {
  await using session = connect(context, options)
  const inNamespace = (text: string): string => (text.includes('/') ? text : `${session.namespace}/${text}`)
  const answer = await askMesh<ExplainAnswer>(session.client, '/explain', {
    from: inNamespace(from),
    to: inNamespace(to),
    ...(options.method === undefined ? {} : { method: options.method }),
    ...(options.path === undefined ? {} : { path: options.path }),
    ...(options.header.length > 0 ? { header: options.header } : {}),
  })
  context.out.write(options.output === 'json' ? printJson(answer) : explainText(answer))
  return answer.verdict === 'allowed' ? 0 : 1
}

/** `biplane proxy strict`: 1 where somebody would break. */
export async function runProxyStrict(context: CliContext, options: Output): Promise<number> {
  await using session = connect(context, options)
  const answer = await askMesh<StrictAnswer>(session.client, '/strict')
  context.out.write(options.output === 'json' ? printJson(answer) : strictText(answer))
  return answer.safe ? 0 : 1
}

/** `biplane proxy dry-run -f FILE`. */
export async function runProxyDryRun(context: CliContext, options: Output & { readonly filename: string }): Promise<void> {
  await using session = connect(context, options)
  const [manifest, ...others] = parseManifests(readFileSync(resolve(context.cwd, options.filename), 'utf8'), options.filename)
  if (!manifest || others.length > 0) {
    const has = manifest ? `${others.length + 1} objects` : 'no object'
    throw new CliError(`${options.filename} has ${has}`, { why: 'one policy is looked at', fix: 'pass a file with one policy' })
  }
  const reply = await session.client.transport.send({ method: 'POST', path: `${MESH_VIEW_PATH}/dry-run`, body: manifest.object })
  const answer = (await reply.object()) as DryRunAnswer
  if (options.output === 'json') return context.out.write(printJson(answer))
  const calls = answer.basis === 'configuration' ? 'possible calls' : 'different calls'
  context.out.write(`${answer.observed} ${calls} were looked at, ${answer.changes.length} would be judged otherwise\n`)
  if (answer.note !== undefined) context.out.write(`Note: ${answer.note}.\n`)
  const rows = answer.changes.map(({ from, to, request, count, now, then, because }) => [
    from,
    to,
    request,
    String(count),
    `${now} -> ${then}`,
    because,
  ])
  if (rows.length > 0) context.out.write(formatTable([['FROM', 'TO', 'REQUEST', 'COUNT', 'CHANGE', 'BECAUSE'], ...rows]))
}
