export { parseDuration } from 'agent-sandbox-kube';
