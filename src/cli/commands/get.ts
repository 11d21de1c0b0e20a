import type { KubeObject, WatchEvent } from '../../api/meta/object.ts'
import { dumpYaml } from '../../api/yaml.ts'
import { StatusError, isStatus } from '../../base/errors.ts'
import { resourcePath } from '../../client/resource-path.ts'
import { connect, type Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { EXIT, usageError } from '../errors/cli-error.ts'
import { explainError, renderError } from '../errors/render-error.ts'
import {
  checkSelection,
  fetchObjects,
  namespaceFor,
  resolveTargets,
  type ResolvedTarget,
  type Selection,
} from '../objects/fetch-objects.ts'
import { displayName } from '../objects/find-kind.ts'
import { printJson, printObjects } from '../print/print-objects.ts'
import { headOf, linesOf, TABLE_ACCEPT, type ServerTable, type TableView } from '../print/server-table.ts'
import { columnWidths, formatTable } from '../print/table.ts'
import type { ConnectOptions } from '../program/options.ts'

interface GetOptions extends ConnectOptions, Selection {
  readonly output?: 'table' | 'wide' | 'json' | 'yaml' | 'name'
  readonly showLabels?: boolean
  /** `--no-headers` makes it false. */
  readonly headers: boolean
  readonly watch?: boolean
}

/** `biplane get`. */
export async function runGet(context: CliContext, what: readonly string[], options: GetOptions): Promise<number> {
  await using session = connect(context, options)
  if (options.watch) {
    await watchObjects(context, session, what, options)
    return EXIT.ok
  }
  const { output } = options
  if (output === 'json' || output === 'yaml' || output === 'name') {
    const found = await fetchObjects(session, what, options)
    const single = (await resolveTargets(session, what)).flatMap(({ names }) => names).length === 1
    context.out.write(printObjects(found, output, single))
    return EXIT.ok
  }
  // awaited here: the session ends with this function
  return await printTables(context, session, { what, options })
}

async function printTables(
  context: CliContext,
  session: Session,
  { what, options }: { readonly what: readonly string[]; readonly options: GetOptions },
): Promise<number> {
  const targets = await resolveTargets(session, what)
  let printed = 0
  let failed = false
  for (const target of targets) {
    const { tables, missing } = await fetchTables(session, target, options)
    for (const error of missing) context.err.write(renderError(explainError(error), { debug: false }))
    failed ||= missing.length > 0
    const [first] = tables
    const view = viewOf(target, options, targets.length > 1)
    const lines = tables.flatMap((table) => linesOf(table, view))
    if (!first || lines.length === 0) continue
    if (printed++ > 0) context.out.write('\n')
    context.out.write(formatTable(options.headers ? [headOf(first, view), ...lines] : lines))
  }
  if (printed === 0 && !failed) context.err.write(nothingFound(session, targets, options))
  return failed ? EXIT.failure : EXIT.ok
}

function viewOf({ kind }: ResolvedTarget, options: GetOptions, several: boolean): TableView {
  return {
    wide: options.output === 'wide',
    namespaces: options.allNamespaces === true && kind.namespaced,
    labels: options.showLabels === true,
    ...(several ? { qualified: kind } : {}),
  }
}

function nothingFound(session: Session, targets: readonly ResolvedTarget[], options: GetOptions): string {
  const inNamespace = targets.some(({ kind }) => kind.namespaced) && !options.allNamespaces
  return inNamespace ? `No resources found in ${session.namespace} namespace.\n` : 'No resources found\n'
}

interface Tables {
  readonly tables: readonly ServerTable[]
  /** Names that are not there: the others are shown all the same. */
  readonly missing: readonly StatusError[]
}

async function fetchTables(session: Session, { kind, names }: ResolvedTarget, options: GetOptions): Promise<Tables> {
  checkSelection(names, options)
  const namespace = namespaceFor(session, kind, options)
  const tables: ServerTable[] = []
  const missing: StatusError[] = []
  if (names.length === 0) {
    for (let next: string | undefined = ''; next !== undefined;) {
      const query: Record<string, string> = { limit: '500', ...selectorsOf(options), ...(next === '' ? {} : { continue: next }) }
      const table = await fetchTable(session, resourcePath(kind, { namespace }), query)
      tables.push(table)
      next = table.metadata?.continue || undefined
    }
  }
  for (const name of names) {
    try {
      tables.push(await fetchTable(session, resourcePath(kind, { namespace, name }), {}))
    } catch (error) {
      if (!isStatus(error, 'NotFound') || names.length === 1) throw error
      missing.push(error)
    }
  }
  return { tables, missing }
}

function selectorsOf(options: Selection): Record<string, string> {
  return {
    ...(options.selector === undefined ? {} : { labelSelector: options.selector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  }
}

async function fetchTable(session: Session, path: string, query: Record<string, string>): Promise<ServerTable> {
  const response = await session.client.transport.send({ method: 'GET', path, query, headers: { accept: TABLE_ACCEPT } })
  return (await response.object()) as ServerTable
}

async function watchObjects(context: CliContext, session: Session, what: readonly string[], options: GetOptions): Promise<void> {
  const targets = await resolveTargets(session, what)
  const [target, ...others] = targets
  if (!target || others.length > 0 || target.names.length > 1) throw usageError('-w watches one kind, or one object of it')
  const { kind, names } = target
  const namespace = namespaceFor(session, kind, options)
  const selection = names.length === 1 ? { fieldSelector: `metadata.name=${names[0] ?? ''}` } : selectorsOf(options)
  const path = resourcePath(kind, { namespace })
  const asTable = options.output === undefined || options.output === 'table' || options.output === 'wide'
  const print = asTable ? tableWatcher(context, target, options) : objectWatcher(context, target, options.output)
  const headers = asTable ? { accept: TABLE_ACCEPT } : {}
  const { signal } = context.takeSignals()
  try {
    const first = (await (await session.client.transport.send({ method: 'GET', path, query: selection, headers })).object()) as ServerTable
    let resourceVersion = first.metadata?.resourceVersion ?? ''
    print(asTable ? [first] : ((first as unknown as { items: KubeObject[] }).items ?? []))
    while (!signal.aborted) {
      const query = { ...selection, watch: 'true', resourceVersion, allowWatchBookmarks: 'true' }
      const response = await session.client.transport.send({ method: 'GET', path, query, headers, signal })
      for await (const event of response.events()) {
        const status = failureOf(event)
        if (status) throw status
        resourceVersion = versionOf(event.object) ?? resourceVersion
        if (event.type !== 'BOOKMARK') print([event.object])
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function failureOf(event: WatchEvent): StatusError | undefined {
  if (event.type !== 'ERROR') return undefined
  const status = event.object as unknown as Parameters<typeof StatusError.fromBody>[0]
  return StatusError.fromBody(status, status.code ?? 500)
}

/** Of a Table it is in the object of its row, or for bookmarks in its own metadata. */
function versionOf(object: KubeObject): string | undefined {
  const rows = (object as unknown as { rows?: readonly { object?: KubeObject }[] }).rows
  return rows?.[0]?.object?.metadata.resourceVersion ?? object.metadata.resourceVersion
}

function tableWatcher(context: CliContext, target: ResolvedTarget, options: GetOptions): (tables: readonly unknown[]) => void {
  const view = viewOf(target, options, false)
  let columns: ServerTable | undefined
  let widths: readonly number[] = []
  return (tables) => {
    for (const table of tables as readonly ServerTable[]) {
      const lines = linesOf(table, view, columns ?? table)
      if (lines.length === 0) {
        if (!columns && table.columnDefinitions?.length) columns = table
        continue
      }
      const head = widths.length === 0 && options.headers ? [headOf(columns ?? table, view)] : []
      columns ??= table
      widths = columnWidths([...head, ...lines], widths)
      context.out.write(formatTable([...head, ...lines], widths))
    }
  }
}

function objectWatcher(context: CliContext, { kind }: ResolvedTarget, output: GetOptions['output']): (objects: readonly unknown[]) => void {
  return (objects) => {
    for (const object of objects as readonly KubeObject[]) {
      if (output === 'name') context.out.write(`${displayName(kind, object.metadata.name)}\n`)
      else context.out.write(output === 'yaml' ? `---\n${dumpYaml(object)}` : printJson(object))
    }
  }
}
