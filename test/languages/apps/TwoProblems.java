import io.github.cdk8sagentsandbox.Isolation;
import io.github.cdk8sagentsandbox.SandboxContainer;
import io.github.cdk8sagentsandbox.SandboxTemplate;
import java.util.List;
import org.cdk8s.App;
import org.cdk8s.Chart;

public class TwoProblems {
  public static void main(String[] args) {
    Chart chart = Chart.Builder.create(new App(), "agents").namespace("agents").build();
    SandboxTemplate.Builder.create(chart, "python")
        .containers(List.of(SandboxContainer.builder().image("registry.example/python-runtime:1.0").memory("512 MB").runAsUser(0).build()))
        .isolation(Isolation.gvisor())
        .build();
  }
}
