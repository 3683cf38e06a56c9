import { useEffect, useState } from "react";
import { ProblemError, UnreachableError } from "../api/problem";
import { useServing } from "../api/queries";
import { strings } from "../strings";
import styles from "./connection.module.css";
import { Message } from "./message";
import { useOnline } from "./online";

/** What stands between the pages and the server's answers: no network, no server, no model. For a key,
 * where the server wants one, the browser itself asks. */
export function Connection() {
  const { error, ask, isAsking } = useObstacle();
  const { again, noServer, offline } = strings.connection;
  const online = useOnline();
  useEffect(() => {
    // Without a network a server on the same machine answers all the same: it is asked, not guessed.
    if (!online) void ask();
  }, [online, ask]);
  return (
    <div className={styles.connection} role="status">
      {error instanceof UnreachableError && (
        <Message tone="caution" action={{ label: again, onPress: ask, busy: isAsking }}>
          {online ? noServer : offline}
        </Message>
      )}
      {error instanceof ProblemError && <Message tone="alarm">{words(error)}</Message>}
    </div>
  );
}

/** Why the server's last answer did not come; while it is asked again it stays what it was, so that no message comes and goes. */
function useObstacle() {
  const { error, isFetching, refetch } = useServing();
  const [last, setLast] = useState(error);
  if (!isFetching && error !== last) setLast(error);
  return { error: last, ask: refetch, isAsking: isFetching };
}

function words({ problem }: ProblemError): string {
  if (problem.status === 503) return `${strings.connection.noModel} ${problem.detail}`;
  return strings.connection.failed(problem.detail);
}
