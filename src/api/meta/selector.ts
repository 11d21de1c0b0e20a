import { StatusError } from '../../base/errors.ts'
import type { LabelSelector, LabelSelectorRequirement } from '../generated/types.ts'
import { checkLabelValue, checkQualifiedName } from './names.ts'

export type Labels = Readonly<Record<string, string>>

/** Whether these labels are selected. No labels at all is the same as `{}`. */
export type LabelMatcher = (labels: Labels | undefined) => boolean

/** One condition on labels; all of a selector's must hold. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<'
  /** One for `=`, `!=`, `>` and `<`; none for `exists` and `!`. */
  readonly values: readonly string[]
}

/**
 * Compiles the text of a `labelSelector` query parameter: `a=b,c!=d,e in (f,g),h,!i,j>3`. Empty text selects all.
 * @throws {StatusError} BadRequest
 */
export function parseLabelSelector(text: string): LabelMatcher {
  return requirementsMatcher(parseLabelRequirements(text))
}

/** The requirements of a selector's text, sorted by key. @throws {StatusError} BadRequest. Source: apimachinery labels.Parse. */
export function parseLabelRequirements(text: string): readonly LabelRequirement[] {
  const parser = new Parser(tokenize(text))
  const requirements = parser.requirements()
  for (const requirement of requirements) checkRequirement(requirement)
  return sortByKey(requirements)
}

/** All of `requirements` must hold. */
export function requirementsMatcher(requirements: readonly LabelRequirement[]): LabelMatcher {
  const [first] = requirements
  if (first === undefined) return () => true
  const tests = requirements.map(requirementTest)
  if (tests.length === 1) return (labels = {}) => (tests[0] as LabelTest)(labels)
  return (labels = {}) => tests.every((test) => test(labels))
}

/**
 * Compiles a selector object. Absent selects nothing, empty selects everything.
 * Source: apimachinery metav1.LabelSelectorAsSelector.
 * @throws {StatusError} BadRequest for an unknown operator
 */
export function labelSelectorMatcher(selector: LabelSelector | undefined): LabelMatcher {
  if (selector === undefined) return () => false
  return requirementsMatcher(labelSelectorRequirements(selector))
}

/** The requirements of a selector object, sorted by key. @throws {StatusError} BadRequest for an unknown operator */
export function labelSelectorRequirements(selector: LabelSelector): readonly LabelRequirement[] {
  const equals = Object.entries(selector.matchLabels ?? {}).map(([key, value]): LabelRequirement => ({
    key,
    operator: '=',
    values: [value],
  }))
  return sortByKey([...equals, ...(selector.matchExpressions ?? []).map(expressionRequirement)])
}

/** The selector as the text of a query parameter, `a=b,c in (d,e),!f`; '' when it selects everything. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  return selector === undefined ? '' : labelSelectorRequirements(selector).map(formatRequirement).join(',')
}

/** A plain map of labels as the text of a selector: `a=b,c=d`, sorted. */
export function formatLabels(labels: Labels | undefined): string {
  return Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels?.[key]}`)
    .join(',')
}

/** Text of one requirement, as it may stand in a query parameter. */
export function formatRequirement(requirement: LabelRequirement): string {
  const { key, operator, values } = requirement
  if (operator === 'exists') return key
  if (operator === '!') return `!${key}`
  if (operator === 'in' || operator === 'notin') return `${key} ${operator} (${[...values].sort().join(',')})`
  return `${key}${operator}${values[0] ?? ''}`
}

type LabelTest = (labels: Labels) => boolean

function requirementTest(requirement: LabelRequirement): LabelTest {
  const { key, operator, values } = requirement
  const value = values[0] ?? ''
  switch (operator) {
    case '=':
      return (labels) => valueOf(labels, key) === value
    case '!=':
      return (labels) => valueOf(labels, key) !== value
    case 'exists':
      return (labels) => valueOf(labels, key) !== undefined
    case '!':
      return (labels) => valueOf(labels, key) === undefined
    case 'in':
    case 'notin': {
      const set = new Set(values)
      const wanted = operator === 'in'
      return (labels) => {
        const found = valueOf(labels, key)
        return (found !== undefined && set.has(found)) === wanted
      }
    }
    case '>':
    case '<': {
      const bound = BigInt(value)
      return (labels) => {
        const found = valueOf(labels, key)
        if (found === undefined || !INTEGER.test(found)) return false
        return operator === '>' ? BigInt(found) > bound : BigInt(found) < bound
      }
    }
  }
}

// a label may be called `constructor`: never look at the prototype
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

function expressionRequirement(expression: LabelSelectorRequirement): LabelRequirement {
  const { key } = expression
  const values = expression.values ?? []
  switch (expression.operator) {
    case 'In':
    case 'NotIn':
      return { key, operator: expression.operator === 'In' ? 'in' : 'notin', values }
    case 'Exists':
      return { key, operator: 'exists', values: [] }
    case 'DoesNotExist':
      return { key, operator: '!', values: [] }
    default:
      throw new StatusError('BadRequest', `"${expression.operator}" is not a valid label selector operator`)
  }
}

const INTEGER = /^[+-]?[0-9]{1,19}$/

function checkRequirement(requirement: LabelRequirement): void {
  const fail = (path: string, value: string, text: string): never => {
    throw refuse(`${path}: Invalid value: ${JSON.stringify(value)}: ${text}`)
  }
  for (const problem of checkQualifiedName(requirement.key)) fail('key', requirement.key, problem)
  const numeric = requirement.operator === '>' || requirement.operator === '<'
  requirement.values.forEach((value, i) => {
    if (numeric && !INTEGER.test(value)) fail(`values[${i}]`, value, "for 'Gt', 'Lt' operators, the value must be an integer")
    for (const problem of checkLabelValue(value)) fail(`values[${i}][${requirement.key}]`, value, problem)
  })
}

function refuse(why: string): StatusError {
  return new StatusError('BadRequest', `unable to parse requirement: ${why}`)
}

function sortByKey(requirements: readonly LabelRequirement[]): readonly LabelRequirement[] {
  return [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

/** '' stands for the end; whatever is not one of SYMBOLS is a word. */
const SYMBOLS = new Set(['', '(', ')', ',', '!', '=', '==', '!=', '>', '<'])
const TOKEN = /\s*([(),<>]|==|=|!=|!|[^\s(),<>=!]+)/y

function tokenize(text: string): readonly string[] {
  const tokens: string[] = []
  const end = text.trimEnd().length
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < end) tokens.push((TOKEN.exec(text) as RegExpExecArray)[1] as string)
  return tokens
}

/** Recursive descent over the grammar in the package comment of apimachinery's labels/selector.go. */
class Parser {
  readonly #tokens: readonly string[]
  #next = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  requirements(): LabelRequirement[] {
    const found: LabelRequirement[] = []
    if (this.#peek() === '') return found
    for (;;) {
      found.push(this.#requirement())
      const token = this.#take()
      if (token === '') return found
      if (token !== ',') throw refuse(`found '${token}', expected: ',' or 'end of string'`)
      const next = this.#peek()
      if (next !== '!' && SYMBOLS.has(next)) throw refuse(`found '${next}', expected: identifier after ','`)
    }
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek() === '!'
    if (negated) this.#take()
    const key = this.#take()
    if (SYMBOLS.has(key)) throw refuse(`found '${key}', expected: identifier`)
    if (negated) return { key, operator: '!', values: [] }
    const next = this.#peek()
    if (next === '' || next === ',') return { key, operator: 'exists', values: [] }
    return this.#comparison(key, this.#take())
  }

  #comparison(key: string, operator: string): LabelRequirement {
    switch (operator) {
      case 'in':
      case 'notin':
        return { key, operator, values: this.#set() }
      case '==':
        return { key, operator: '=', values: [this.#value()] }
      case '=':
      case '!=':
      case '>':
      case '<':
        return { key, operator, values: [this.#value()] }
      default:
        throw refuse(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`)
    }
  }

  #value(): string {
    const next = this.#peek()
    if (next === '' || next === ',') return ''
    if (SYMBOLS.has(next)) throw refuse(`found '${next}', expected: identifier`)
    return this.#take()
  }

  #set(): string[] {
    const open = this.#take()
    if (open !== '(') throw refuse(`found '${open}' expected: '('`)
    const values = new Set<string>()
    for (;;) {
      // `(a,)` and `()` hold an empty value, as upstream reads them
      const next = this.#peek()
      values.add(next === ',' || next === ')' ? '' : this.#value())
      const token = this.#take()
      if (token === ')') return [...values]
      if (token !== ',') throw refuse(`found '${token}', expected: ',' or ')'`)
    }
  }

  #peek(): string {
    return this.#tokens[this.#next] ?? ''
  }

  #take(): string {
    return this.#tokens[this.#next++] ?? ''
  }
}
