import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, useState } from "react";
import { BrowserRouter, Route, Routes } from "react-router";
import { createQueryClient } from "./api/queries";
import { Failure } from "./layout/failure";
import { Layout } from "./layout/layout";
import { QueueProvider } from "./queue/context";

const Home = lazy(() => import("./pages/home/page"));
const About = lazy(() => import("./pages/about/page"));
const LesionTypes = lazy(() => import("./pages/lesion-types/page"));
const Predict = lazy(() => import("./pages/predict/page"));
const NotFound = lazy(() => import("./pages/not-found/page"));

/** The addresses of the app. Each page is a file of its own, fetched when it is opened. */
export function Addresses() {
  return (
    <Routes>
      <Route element={<Layout />}>
        <Route index element={<Home />} />
        <Route path="about" element={<About />} />
        <Route path="lesion-types" element={<LesionTypes />} />
        <Route path="predict" element={<Predict />} />
        <Route path="*" element={<NotFound />} />
      </Route>
    </Routes>
  );
}

export function App() {
  const [queries] = useState(createQueryClient);
  return (
    <Failure>
      <QueryClientProvider client={queries}>
        <QueueProvider>
          <BrowserRouter>
            <Addresses />
          </BrowserRouter>
        </QueueProvider>
      </QueryClientProvider>
    </Failure>
  );
}
