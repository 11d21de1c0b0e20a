import type { ConnectOptions } from '../program/options.ts'

/** What completion has to know of a command. */
export interface CommandShape {
  readonly name: string
  readonly description: string
  readonly commands: readonly CommandShape[]
  readonly options: readonly {
    /** Such as `-n` and `--namespace`. */
    readonly flags: readonly string[]
    readonly description: string
    readonly takesValue: boolean
    readonly choices: readonly string[]
  }[]
  /** Its arguments are kinds and names of objects. */
  readonly takesObjects: boolean
  /** Of its first argument. */
  readonly choices: readonly string[]
}

export interface CompletionPlan {
  readonly words: readonly { readonly value: string; readonly description: string }[]
  /** To be asked of the cluster. */
  readonly live?:
    | { readonly type: 'kinds'; readonly suffix: string }
    | { readonly type: 'names'; readonly kind: string; readonly prefix: string }
  /** Of the command line so far. */
  readonly options: ConnectOptions
}

type OptionShape = CommandShape['options'][number]

/** What may stand in place of the last of `words` (the command line without `biplane`; the last word may be empty). */
export function planCompletion(program: CommandShape, words: readonly string[]): CompletionPlan {
  const current = words.at(-1) ?? ''
  const { command, args, options, pending } = walk(program, words.slice(0, -1))
  const plain = (values: readonly string[]): CompletionPlan => ({ words: values.map((value) => ({ value, description: '' })), options })
  if (pending) {
    if (pending.flags.includes('--namespace')) return { words: [], live: { type: 'names', kind: 'namespaces', prefix: '' }, options }
    return plain(pending.choices)
  }
  if (current.startsWith('-')) {
    const shown = command.options.map(({ flags, description }) => ({ value: flags.at(-1) ?? '', description }))
    return { words: shown, options }
  }
  if (command.commands.length > 0 && args.length === 0) {
    return { words: command.commands.map(({ name, description }) => ({ value: name, description })), options }
  }
  if (command.choices.length > 0 && args.length === 0) return plain(command.choices)
  if (!command.takesObjects) return { words: [], options }
  return { words: [], live: planLive(command, args, current), options }
}

function planLive(command: CommandShape, args: readonly string[], current: string): NonNullable<CompletionPlan['live']> {
  const slash = current.indexOf('/')
  if (slash > 0) return { type: 'names', kind: current.slice(0, slash), prefix: `${current.slice(0, slash)}/` }
  if (command.name === 'logs') return { type: 'names', kind: 'pods', prefix: '' }
  const [kind] = args
  if (kind === undefined) return { type: 'kinds', suffix: '' }
  return kind.includes('/') ? { type: 'kinds', suffix: '/' } : { type: 'names', kind, prefix: '' }
}

interface Walked {
  readonly command: CommandShape
  readonly args: readonly string[]
  readonly options: ConnectOptions
  /** The option whose value comes next. */
  readonly pending: OptionShape | undefined
}

const CONNECT: Readonly<Record<string, keyof ConnectOptions>> = {
  '--kubeconfig': 'kubeconfig',
  '--context': 'context',
  '--namespace': 'namespace',
  '-n': 'namespace',
}

function walk(program: CommandShape, words: readonly string[]): Walked {
  let command = program
  const args: string[] = []
  const options: { -readonly [K in keyof ConnectOptions]: ConnectOptions[K] } = {}
  let pending: { readonly option: OptionShape; readonly flag: string } | undefined
  for (const word of words) {
    if (pending) {
      const key = CONNECT[pending.flag]
      if (key) options[key] = word
      pending = undefined
    } else if (word.startsWith('-') && word !== '-') {
      const [flag = '', value] = word.split('=', 2)
      const option = command.options.find(({ flags }) => flags.includes(flag))
      const key = CONNECT[flag]
      if (value !== undefined && key) options[key] = value
      else if (value === undefined && option?.takesValue) pending = { option, flag }
    } else {
      const next = args.length === 0 ? command.commands.find(({ name }) => name === word) : undefined
      if (next) command = next
      else args.push(word)
    }
  }
  return { command, args, options, pending: pending?.option }
}
