export {
  ClaimRateMetricProps, ExternalMetricProps, MetricTargetType, ScalingBehavior, ScalingPolicy, ScalingPolicySelect, ScalingRules,
  WarmPoolAutoscalingOptions, WarmPoolHorizontalPodAutoscaler, WarmPoolHorizontalPodAutoscalerProps, WarmPoolMetric, WarmPoolScaleTarget,
} from './autoscaling';
export { SandboxDisruptionBudget, SandboxDisruptionBudgetProps, UnhealthyPodEvictionPolicy } from './disruption-budget';
export {
  KedaAuthentication, KedaClaimRateProps, KedaPrometheusOptions, KedaPrometheusProps, KedaTrigger, KedaTriggerProps, WarmPoolScaledObject,
  WarmPoolScaledObjectOptions, WarmPoolScaledObjectProps,
} from './keda';
export { WarmPoolSizing, WarmPoolSizingProps } from './warm-pool-sizing';
