export { projected, SandboxProjection } from './sandbox-projection';
