import { describe, expect, it } from 'vitest'
import { SendBudget } from './send-budget.ts'

/** A stream that sends `bytes` when it may. */
function sender(budget: SendBudget, name: string, bytes: number, sent: string[]): () => void {
  const send = (): void => {
    if (!budget.admits(send)) return
    budget.take(bytes)
    sent.push(name)
  }
  return send
}

describe('SendBudget', () => {
  it('lets in while there is room, the last one whatever it takes', () => {
    const budget = new SendBudget(10)
    const sent: string[] = []
    sender(budget, 'a', 9, sent)()
    sender(budget, 'b', 100, sent)()
    sender(budget, 'c', 1, sent)()
    expect(sent).toEqual(['a', 'b'])
    expect(budget.used).toBe(109)
    expect(budget.waiting).toBe(1)
  })

  it('calls those that wait in the order in which they came, once each, as far as there is room', () => {
    const budget = new SendBudget(10)
    const sent: string[] = []
    budget.take(10)
    for (const name of ['a', 'b', 'c']) sender(budget, name, 5, sent)()
    expect(sent).toEqual([])
    budget.give(1)
    expect(sent).toEqual(['a'])
    budget.give(4)
    expect(sent).toEqual(['a'])
    budget.give(5)
    expect(sent).toEqual(['a', 'b'])
    budget.give(1)
    expect(sent).toEqual(['a', 'b', 'c'])
    budget.give(14)
    expect(sent).toEqual(['a', 'b', 'c'])
    expect(budget.used).toBe(0)
    expect(budget.waiting).toBe(0)
  })

  it('notes one that asks twice once, and keeps its place', () => {
    const budget = new SendBudget(1)
    const sent: string[] = []
    budget.take(1)
    const [a, b] = [sender(budget, 'a', 1, sent), sender(budget, 'b', 1, sent)]
    a()
    b()
    a()
    expect(budget.waiting).toBe(2)
    budget.give(1)
    budget.give(1)
    budget.give(1)
    expect(sent).toEqual(['a', 'b'])
  })

  it('does not call one that has left', () => {
    const budget = new SendBudget(1)
    const sent: string[] = []
    budget.take(1)
    const a = sender(budget, 'a', 1, sent)
    a()
    budget.leave(a)
    budget.give(1)
    expect(sent).toEqual([])
    expect(budget.waiting).toBe(0)
  })

  it('serves each of many that come while it is used up, whoever gives, also within a call', () => {
    const budget = new SendBudget(3)
    const sent: string[] = []
    budget.take(3)
    for (let i = 0; i < 1_000; i++) {
      const send = (): void => {
        if (!budget.admits(send)) return
        budget.take(1)
        sent.push(`${i}`)
        // read at once by every second one
        if (i % 2 === 0) budget.give(1)
      }
      send()
    }
    for (let tries = 0; budget.used > 0 && tries < 2_000; tries++) budget.give(1)
    expect(sent.length).toBe(1_000)
    expect(new Set(sent).size).toBe(1_000)
    expect(budget.used).toBe(0)
  })
})
