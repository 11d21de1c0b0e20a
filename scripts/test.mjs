// Runs every test (or those given as arguments), lists what was skipped and what failed with the first line of why, and ends with one line:
// N passed, N failed, N skipped.
// `--second-run`, for machines that are shared: where at most three files fail, those run once more, alone. What passes only then is listed as UNSTEADY
// with the reason of its first failure: a race to look for, in the test or in what is tested.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SECOND_RUN = '--second-run'
const MAX_FILES_OF_A_SECOND_RUN = 3
const root = fileURLToPath(new URL('..', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'biplane-test-'))

const run = (command, args, env = {}) =>
  new Promise((resolve) =>
    spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).on('exit', (code, signal) =>
      resolve(code ?? (signal ? 1 : 0)),
    ),
  )

/** What became of the tests, by file: see test-reporter.mjs. */
async function runTests(args) {
  const report = join(dir, 'report.json')
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts/test-reporter.mjs')}`]
  const code = await run(join(root, 'node_modules/.bin/vitest'), ['run', ...reporters, ...args], { BIPLANE_TEST_REPORT: report })
  const files = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : []
  const isExplained = code === 0 || files.some(({ failed }) => failed.length > 0)
  return isExplained ? files : [...files, { path: '', passed: 0, failed: [`vitest ended with ${code}, see above`], skipped: [] }]
}

/** The same, after a second run of the files that failed, where that is in order. */
async function secondRun(files) {
  const failing = files.filter(({ failed }) => failed.length > 0)
  if (failing.length === 0 || failing.length > MAX_FILES_OF_A_SECOND_RUN || failing.some(({ path }) => path === '')) return files
  console.log(`once more, alone: ${failing.map(({ path }) => path).join(', ')}`)
  const again = await runTests(failing.map(({ path }) => path))
  return files.map((file) => {
    const second = again.find(({ path }) => path === file.path)
    return second ? { ...second, unsteady: second.failed.length === 0 ? file.failed : [] } : file
  })
}

const args = process.argv.slice(2).filter((arg) => arg !== SECOND_RUN)
// system tests start the bundled command, so it must be that of this tree
if ((await run(process.execPath, ['scripts/build.mjs'])) !== 0) {
  console.log('0 passed, 1 failed')
  process.exit(1)
}
const first = await runTests(args)
const files = process.argv.includes(SECOND_RUN) ? await secondRun(first) : first
rmSync(dir, { recursive: true, force: true })

const passed = files.reduce((sum, file) => sum + file.passed, 0)
const skipped = files.flatMap((file) => file.skipped)
const failures = files.flatMap((file) => file.failed)
for (const name of skipped) console.log(`skipped ${name}`)
// last, where a log that was cut still has them
for (const failure of files.flatMap(({ unsteady }) => unsteady ?? [])) console.log(`UNSTEADY ${failure}`)
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
process.exit(failures.length > 0 ? 1 : 0)
