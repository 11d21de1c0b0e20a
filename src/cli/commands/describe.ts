import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { describeObject } from '../describe/describe-object.ts'
import { eventsOf } from '../describe/events.ts'
import { fetchObjects, type Selection } from '../objects/fetch-objects.ts'
import { printJson } from '../print/print-objects.ts'
import type { ConnectOptions } from '../program/options.ts'

interface DescribeOptions extends ConnectOptions, Selection {
  readonly output?: 'text' | 'json'
}

/** `biplane describe`. */
export async function runDescribe(context: CliContext, what: readonly string[], options: DescribeOptions): Promise<void> {
  await using session = connect(context, options)
  const found = await fetchObjects(session, what, options)
  if (options.output === 'json') {
    const described = []
    for (const { object } of found) described.push({ object, events: await eventsOf(session, object) })
    return context.out.write(printJson(described))
  }
  if (found.length === 0) return context.err.write('No resources found\n')
  const texts = []
  for (const one of found) texts.push(await describeObject(session, one, context.clock.now()))
  context.out.write(texts.join('\n\n'))
}
