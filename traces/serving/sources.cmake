# SPDX-License-Identifier: Apache-2.0
# Importers and policies register themselves: a new one is a file and its line here.
target_sources(memwall_traces PRIVATE
  serving/engine.cpp serving/kv_blocks.cpp serving/request.cpp serving/request_file.cpp serving/request_spec.cpp
  serving/scheduler.cpp serving/served_source.cpp serving/server_params.cpp serving/step_costs.cpp
  serving/step_operators.cpp
  serving/importers/azure_csv.cpp serving/importers/burstgpt_csv.cpp serving/importers/mooncake_jsonl.cpp
  serving/importers/request_csv.cpp serving/importers/vllm_jsonl.cpp
  serving/policies/fcfs.cpp serving/policies/prefill_first.cpp serving/policies/priority.cpp
  serving/policies/shortest_first.cpp serving/policies/static_batch.cpp)
