import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { GatewayObjects } from './gateway-objects.ts'
import { translateGatewayApi } from './translate-gateway-api.ts'

// Golden files: objects in, what the compiler gets out. UPDATE_GOLDEN=1 writes what is; read the difference before it is committed.
const DIR = new URL('./golden/', import.meta.url)
const files = readdirSync(DIR).filter((name) => name.endsWith('.json'))

interface Golden {
  readonly about: string
  readonly input: GatewayObjects
  readonly output: unknown
}

test('there is one for each kind', () => {
  expect(files.length).toBeGreaterThanOrEqual(8)
})

test.each(files)('%s', (name) => {
  const url = new URL(name, DIR)
  const golden = JSON.parse(readFileSync(url, 'utf8')) as Golden
  const { routes, gateways, secrets, findings } = translateGatewayApi(golden.input)
  const output: unknown = JSON.parse(JSON.stringify({ routes, gateways, secrets: [...secrets.keys()], findings }))
  if (process.env['UPDATE_GOLDEN']) writeFileSync(url, `${JSON.stringify({ ...golden, output }, null, 2)}\n`)
  else expect(output).toEqual(golden.output)
})

test('the order of objects does not matter', () => {
  for (const name of files) {
    const { input } = JSON.parse(readFileSync(new URL(name, DIR), 'utf8')) as Golden
    const reversed = Object.fromEntries(Object.entries(input).map(([key, list]) => [key, [...(list as unknown[])].reverse()]))
    const sorted = (objects: GatewayObjects): string[] =>
      translateGatewayApi(objects)
        .routes.map((route) => JSON.stringify(route))
        .sort()
    expect(sorted(reversed), name).toEqual(sorted(input))
  }
})
