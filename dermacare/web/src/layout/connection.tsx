import { ProblemError, UnreachableError } from "../api/problem";
import { useServing } from "../api/queries";
import { strings } from "../strings";
import styles from "./connection.module.css";
import { Message } from "./message";
import { useOnline } from "./online";

/** What stands between the pages and the server's answers: no network, no server, no model. For a key,
 * where the server wants one, the browser itself asks. */
export function Connection() {
  const { error, isFetching, refetch } = useServing();
  const online = useOnline();
  return (
    <div className={styles.connection} role="status">
      {!online && <Message tone="caution">{strings.connection.offline}</Message>}
      {online && error instanceof UnreachableError && (
        <Message
          tone="caution"
          action={{ label: strings.connection.again, onPress: () => void refetch(), busy: isFetching }}
        >
          {strings.connection.noServer}
        </Message>
      )}
      {error instanceof ProblemError && <Message tone="alarm">{words(error)}</Message>}
    </div>
  );
}

function words({ problem }: ProblemError): string {
  if (problem.status === 503) return `${strings.connection.noModel} ${problem.detail}`;
  return strings.connection.failed(problem.detail);
}
