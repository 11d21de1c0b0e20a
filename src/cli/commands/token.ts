import { createHash, X509Certificate } from 'node:crypto'
import type { CliContext } from '../context.ts'
import type { Endpoint } from '../compose/control-plane.ts'
import { dataLayout } from '../compose/layout.ts'
import { readIfPresent } from '../connect.ts'
import { createJoinTokens, formatJoinToken, type JoinToken, type JoinTokens } from '../../control-plane/pki/join-tokens.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError, EXIT } from '../errors/cli-error.ts'
import { printJson } from '../print/print-objects.ts'
import { formatTable } from '../print/table.ts'
import { humanDuration } from '../../api/print/human-duration.ts'

interface TokenOptions {
  readonly dataDir?: string
  readonly output?: 'text' | 'json'
}

/** `biplane token create`. */
export async function runTokenCreate(context: CliContext, options: TokenOptions & { readonly ttl: number }): Promise<void> {
  const { endpoint, tokens } = openTokens(context, options)
  const token = await tokens.create({ ttlMs: options.ttl })
  const key = new X509Certificate(endpoint.caCertificate).publicKey.export({ type: 'spki', format: 'der' })
  const caHash = `sha256:${createHash('sha256').update(key).digest('hex')}`
  const text = formatJoinToken(token)
  const command = `biplane node --server ${endpoint.server} --token ${text} --ca-hash ${caHash}`
  if (options.output === 'json') context.out.write(printJson({ token: text, server: endpoint.server, caHash, ...expiry(token), command }))
  else context.out.write(`${command}\n`)
}

/** `biplane token list`. */
export async function runTokenList(context: CliContext, options: TokenOptions): Promise<void> {
  const tokens = await openTokens(context, options).tokens.list()
  if (options.output === 'json') return context.out.write(printJson(tokens.map((token) => ({ id: token.id, ...expiry(token) }))))
  const now = context.clock.now()
  const rows = tokens.map(({ id, expiresAtMs }) => [id, expiresAtMs === undefined ? '<never>' : humanDuration(expiresAtMs - now)])
  context.out.write(formatTable([['ID', 'EXPIRES IN'], ...rows]))
}

/** `biplane token revoke`. */
export async function runTokenRevoke(context: CliContext, id: string, options: TokenOptions): Promise<number> {
  const { tokens } = openTokens(context, options)
  const [shortId = ''] = id.split('.')
  if (!(await tokens.revoke(shortId))) throw new CliError(`there is no join token "${shortId}"`, { fix: 'see: biplane token list' })
  context.out.write(`token ${shortId} revoked\n`)
  return EXIT.ok
}

function openTokens(context: CliContext, options: TokenOptions): { readonly endpoint: Endpoint; readonly tokens: JoinTokens } {
  const layout = dataLayout(dataDirOf(context, options.dataDir))
  const text = readIfPresent(layout.endpoint)
  if (text === undefined) {
    throw new CliError(`there is no control plane in ${layout.root}`, {
      fix: 'run this on the machine of the control plane, with the --data-dir it was started with',
    })
  }
  return { endpoint: JSON.parse(text) as Endpoint, tokens: createJoinTokens(layout.joinTokens, { clock: context.clock }) }
}

function expiry(token: JoinToken): { readonly expires?: string } {
  return token.expiresAtMs === undefined ? {} : { expires: new Date(token.expiresAtMs).toISOString() }
}
