# Differential expression by DESeq2: the genes of the report, and how many are called, tested or lack a value.
# Belongs here: report.top_genes, expression.contrasts and page.gaps. Does not belong here: the clinical half.

shown_genes <- 20

design_frame <- function(row, sheet) {
  described <- input("design_variables")
  described <- described[described$contrast == row$contrast, ]
  frame <- data.frame(row.names = sheet$sample)
  for (name in unique(described$variable)) {
    own <- described[described$variable == name, ]
    frame[[name]] <- if (own$kind[1] == "number") as.numeric(sheet[[name]]) else
      factor(sheet[[name]], levels = own$level[own$level %in% sheet[[name]]])
  }
  frame
}

weights_of <- function(row, frame) {
  # One weight for each design column, for a contrast that is no comparison of two levels.
  columns <- colnames(model.matrix(as.formula(row$formula), frame))
  given <- input("contrast_weights")
  given <- given[given$contrast == row$contrast, ]
  names_ <- gsub("\\[(T\\.)?([^]]*)\\]", "\\2", given$column)
  names_[names_ == "Intercept"] <- "(Intercept)"
  if (!all(names_ %in% columns)) stop("a weighed column is gone")
  weights <- setNames(rep(0, length(columns)), columns)
  weights[names_] <- as.numeric(given$weight)
  weights
}

compared_samples <- function(row, frame) {
  # Samples without whose reads a gene says nothing.
  if (!is.na(row$variable)) return(frame[[row$variable]] %in% c(row$level, row$reference))
  weights <- weights_of(row, frame)
  if (all(weights >= 0) || all(weights <= 0)) return(rep(FALSE, nrow(frame)))
  as.vector(model.matrix(as.formula(row$formula), frame) %*% (weights != 0)) != 0
}

test_genes <- function(row, sheet, counts, lengths) {
  # Every gene: baseMean, fold change, error, p and adjusted p.
  frame <- design_frame(row, sheet)
  if (!is.na(row$variable) && !all(c(row$level, row$reference) %in% frame[[row$variable]])) stop("a level is gone")
  chosen <- counts[, sheet$sample, drop = FALSE]
  counted <- rowSums(is.na(chosen)) == 0
  chosen <- chosen[counted, , drop = FALSE]
  storage.mode(chosen) <- "integer"
  said <- suppressWarnings(suppressMessages({
    data <- DESeqDataSetFromMatrix(chosen, frame, as.formula(row$formula))
    control <- input("control_genes")$gene_id
    type <- if (row$size_factors == "poscounts") "poscounts" else "ratio"
    if (!is.null(lengths)) assays(data)[["avgTxLength"]] <- lengths[counted, sheet$sample, drop = FALSE]
    if (row$size_factors == "column") {
      sizeFactors(data) <- as.numeric(sheet$size_factor)
    } else {
      data <- if (length(control)) estimateSizeFactors(data, type = type, controlGenes = rownames(chosen) %in% control)
              else estimateSizeFactors(data, type = type)
    }
    data <- if (is.na(row$reduced_formula)) DESeq(data, quiet = TRUE) else
      DESeq(data, test = "LRT", reduced = as.formula(row$reduced_formula), quiet = TRUE)
    contrast <- if (is.na(row$variable)) unname(weights_of(row, frame)) else c(row$variable, row$level, row$reference)
    asked <- list(data, contrast = contrast, alpha = as.numeric(row$alpha))
    if (is.na(row$reduced_formula) && (as.numeric(row$lfc_threshold) > 0 || row$alternative != "greaterAbs")) {
      asked$lfcThreshold <- as.numeric(row$lfc_threshold)
      asked$altHypothesis <- row$alternative
    }
    do.call(results, asked)
  }))
  at <- compared_samples(row, frame)
  everyone <- data.frame(gene = rownames(counts), mean = NA_real_, fold = NA_real_, error = NA_real_, p = NA_real_,
                         adjusted = NA_real_, silent = FALSE)
  everyone[counted, 2:6] <- as.data.frame(said)[, c("baseMean", "log2FoldChange", "lfcSE", "pvalue", "padj")]
  everyone$silent[counted] <- any(at) & rowSums(chosen[, at, drop = FALSE]) == 0 & rowSums(chosen) > 0
  everyone
}

contrast_tables <- function(row, counts, lengths, refits) {
  sheet <- input(paste0("samples_", row$contrast))
  frame <- design_frame(row, sheet)
  numbers <- c(list(n_samples = nrow(sheet), n_level = NA, n_reference = NA,
                    residual_df = nrow(sheet) - ncol(model.matrix(as.formula(row$formula), frame))),
               none(words("n_genes n_tested n_significant n_up n_down n_refits n_stable")))
  if (!is.na(row$variable)) {
    numbers$n_level <- sum(sheet[[row$variable]] == row$level)
    numbers$n_reference <- sum(sheet[[row$variable]] == row$reference)
  }
  if (row$status == "descriptive") {
    numbers <- modifyList(numbers, untested(row, sheet, counts))
  } else {
    found_ <- test_genes(row, sheet, counts, lengths)
    called <- which(found_$adjusted < as.numeric(row$alpha))
    numbers <- modifyList(numbers, list(n_genes = nrow(found_), n_tested = sum(!is.na(found_$p)), n_significant = length(called),
                                        n_up = sum(found_$fold[called] > 0), n_down = sum(found_$fold[called] < 0)))
    leading <- found_[order(found_$p, found_$gene, method = "radix", na.last = NA), ]
    for (rank in seq_len(min(shown_genes, nrow(leading)))) {
      gene <- leading[rank, ]
      put("report.top_genes", list(contrast = row$contrast, rank = rank),
          list(gene_id = gene$gene, base_mean = gene$mean, log2_fold_change = gene$fold, lfc_se = gene$error, pvalue = gene$p,
               padj = gene$adjusted, n_samples = nrow(sheet)))
    }
    gaps <- list(not_counted = is.na(found_$mean), all_zero = found_$mean %in% 0,
                 cooks_outlier = is.na(found_$p) & !is.na(found_$mean) & found_$mean > 0,
                 contrast_all_zero = found_$silent & !is.na(found_$p),
                 low_mean_filtered = !is.na(found_$p) & is.na(found_$adjusted) & !found_$silent)
    for (reason in names(gaps)) if (any(gaps[[reason]], na.rm = TRUE)) {
      put("page.gaps", list(contrast = row$contrast, na_reason = reason), list(genes = sum(gaps[[reason]], na.rm = TRUE)))
    }
    if (refits && row$refits == "true" && length(called)) {
      numbers <- modifyList(numbers, refitted(row, sheet, counts, lengths, found_, called))
    }
  }
  put("expression.contrasts", list(contrast = row$contrast), numbers)
}

untested <- function(row, sheet, counts) {
  # One sample against one: nothing is tested.
  own <- counts[, sheet$sample, drop = FALSE]
  total <- rowSums(own)
  gaps <- list(not_counted = is.na(total), all_zero = total %in% 0, unreplicated = !is.na(total) & total > 0)
  for (reason in names(gaps)) if (any(gaps[[reason]])) {
    put("page.gaps", list(contrast = row$contrast, na_reason = reason), list(genes = sum(gaps[[reason]])))
  }
  list(n_genes = nrow(own), n_tested = 0, n_significant = 0, n_up = 0, n_down = 0)
}

refitted <- function(row, sheet, counts, lengths, whole_, called) {
  # Called genes that stay called, with the same sign, in every fit without one sample.
  stable <- rep(TRUE, length(called))
  n <- 0
  for (at in seq_len(nrow(sheet))) {
    again <- tryCatch(test_genes(row, sheet[-at, ], counts, lengths), error = function(problem) NULL)
    if (is.null(again)) next
    n <- n + 1
    keeps <- again$adjusted[called] < as.numeric(row$alpha) & sign(again$fold[called]) == sign(whole_$fold[called])
    stable <- stable & !is.na(keeps) & keeps
  }
  if (n) list(n_refits = n, n_stable = sum(stable)) else list()
}

matrix_of <- function(frame) {
  if (is.null(frame)) return(NULL)
  found_ <- as.matrix(data.frame(lapply(frame[-1], as.numeric), check.names = FALSE))
  rownames(found_) <- frame$gene_id
  found_
}

expression_tables <- function(published, refits, de) {
  # Recompute; returns ids and tables that were skipped, each with the reason.
  tables <- c("report.top_genes", "expression.contrasts", "page.gaps")
  contrasts <- input("contrasts")
  if (!rows_of(contrasts)) return(character(0))
  if (!de) return(setNames(rep("differential expression was left out (--without-de)", 3), tables))
  there <- suppressWarnings(suppressPackageStartupMessages(requireNamespace("DESeq2", quietly = TRUE)))
  if (!there) return(setNames(rep("DESeq2 is not installed", 3), tables))
  suppressWarnings(suppressPackageStartupMessages(library(DESeq2)))
  counts <- matrix_of(input("counts"))
  lengths <- matrix_of(input("lengths"))
  for (at in seq_len(nrow(contrasts))) contrast_tables(contrasts[at, ], counts, lengths, refits)
  if (refits) return(character(0))
  setNames(rep("refits were left out (--without-refits)", 2), paste0("expression.contrasts.", c("n_refits", "n_stable")))
}
