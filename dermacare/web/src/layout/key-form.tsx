import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { keepKey, readKey } from "../api/key";
import { strings } from "../strings";
import styles from "./key-form.module.css";

/** Asks for the key that a server beyond loopback wants. */
export function KeyForm() {
  const queries = useQueryClient();
  const id = useId();
  const [key, setKey] = useState("");
  const wrong = readKey() !== null;
  const use = (event: FormEvent) => {
    event.preventDefault();
    keepKey(key.trim());
    void queries.invalidateQueries();
  };
  return (
    <form className={styles.form} onSubmit={use}>
      <h2>{strings.key.heading}</h2>
      <p>{wrong ? strings.key.wrong : strings.key.explain}</p>
      <label htmlFor={id}>{strings.key.label}</label>
      <div className={styles.row}>
        <input
          id={id}
          type="password"
          autoComplete="off"
          required
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        <button type="submit">{strings.key.use}</button>
      </div>
    </form>
  );
}
