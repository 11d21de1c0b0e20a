// Builds kubernetes' own kube-proxy, the peer of the kernel service proxy in tests and benchmarks, from the Go module proxy.
// The binary goes to the user's cache directory (XDG_CACHE_HOME or ~/.cache), never into the repository. Needs Go and, the first time,
// about two minutes on two cores. Usage: node scripts/build-kube-proxy.mjs [--if-built]   prints the path, or nothing with `--if-built`
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSION = '1.35.4'
const LIMIT_MS = 900_000

/** Where the binary is, or is to be. */
export function kubeProxyPath() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(cache, 'biplane', `kube-proxy-${VERSION}`, 'kube-proxy')
}

/** Path of the binary if it was built already, else the empty string. */
export function builtKubeProxy() {
  return existsSync(kubeProxyPath()) ? kubeProxyPath() : ''
}

/** Builds it unless it is there. @returns its path */
export function buildKubeProxy() {
  const target = kubeProxyPath()
  if (existsSync(target)) return target
  const dir = join(target, '..')
  mkdirSync(dir, { recursive: true })
  const work = mkdtempSync(join(dir, 'build-'))
  const go = (...args) =>
    execFileSync('go', args, { cwd: work, encoding: 'utf8', timeout: LIMIT_MS, env: { ...process.env, CGO_ENABLED: '0' } })
  try {
    const { GoMod } = JSON.parse(go('mod', 'download', '-json', `k8s.io/kubernetes@v${VERSION}`))
    // inside the repository the libraries lie under ./staging, which the module's archive leaves out: they are published apart, as 0.x.y
    const staged = [...readFileSync(GoMod, 'utf8').matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging\//gm)].map(([, name]) => name)
    const published = VERSION.replace(/^1/, '0')
    const lines = [
      'module kubeproxy',
      '',
      `go ${/^go (\S+)$/m.exec(readFileSync(GoMod, 'utf8'))[1]}`,
      '',
      `require k8s.io/kubernetes v${VERSION}`,
      '',
      'replace (',
      ...staged.map((name) => `\t${name} => ${name} v${published}`),
      ')',
      '',
    ]
    writeFileSync(join(work, 'go.mod'), lines.join('\n'))
    writeFileSync(join(work, 'pin.go'), '//go:build pin\n\npackage pin\n\nimport _ "k8s.io/kubernetes/cmd/kube-proxy"\n')
    const flags = `-s -w -X k8s.io/component-base/version.gitVersion=v${VERSION}`
    go('build', '-mod=mod', '-trimpath', '-ldflags', flags, '-o', 'kube-proxy', 'k8s.io/kubernetes/cmd/kube-proxy')
    renameSync(join(work, 'kube-proxy'), target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return target
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(process.argv.includes('--if-built') ? builtKubeProxy() : buildKubeProxy())
}
