import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { mount } from '../service.ts'

/** The echo service in its plain form, for tests and benchmarks. */
export const echo = mount(EchoService, {
  echo: (request) => ({ text: request.text, labels: request.labels }),
  async *expand(request) {
    for (let index = 0; index < request.count; index += 1) yield { text: request.text, index }
  },
  async collect(requests) {
    const texts: string[] = []
    for await (const request of requests) texts.push(request.text)
    return { text: texts.join(''), count: texts.length }
  },
  async *converse(requests) {
    for await (const request of requests) yield { text: request.text }
  },
})
