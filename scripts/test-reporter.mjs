// Writes what became of the tests to the file that BIPLANE_TEST_REPORT names, for test.mjs: [{ path, passed, failed, skipped }], the last two with names.
// Errors outside of tests count for the file during which they came, or for none (path '').
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const firstLine = (error) => stripVTControlCharacters(error?.message ?? 'no reason given').split('\n', 1)[0]

export default class TestReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const files = modules.map(outcomesOf)
    for (const error of unhandledErrors) {
      const path = error.VITEST_TEST_PATH ? relative(process.cwd(), error.VITEST_TEST_PATH) : ''
      const failure = `${path}: outside of the tests: ${firstLine(error)}`
      const file = files.find((one) => one.path === path)
      if (file) file.failed.push(failure)
      else files.push({ path, passed: 0, failed: [failure], skipped: [] })
    }
    writeFileSync(process.env.BIPLANE_TEST_REPORT, JSON.stringify(files))
  }
}

function outcomesOf(module) {
  const path = relative(process.cwd(), module.moduleId)
  const tests = [...module.children.allTests()].map((test) => ({ name: `${path}: ${test.fullName}`, ...test.result() }))
  const suites = [module, ...module.children.allSuites()]
  return {
    path,
    passed: tests.filter(({ state }) => state === 'passed').length,
    failed: [
      ...tests.filter(({ state }) => state === 'failed').map(({ name, errors }) => `${name}: ${firstLine(errors[0])}`),
      // a file that does not load, hooks that fail
      ...suites.flatMap((suite) => suite.errors().map((error) => `${path}: ${firstLine(error)}`)),
    ],
    skipped: tests.filter(({ state }) => state === 'skipped').map(({ name }) => name),
  }
}
