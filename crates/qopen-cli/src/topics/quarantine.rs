//! Layers at which a verified callback could not be read.

topics! {
    CONTENT "quarantine-content" {
        "The content does not decrypt", "内容无法解密";
        "The content is not base64 of whole AES blocks, or no key decrypts it. The item is the content as it came.", "内容不是 AES 整块的 base64，或没有密钥能解密。隔离项是收到的原始内容。";
        "Correct `QOPEN_ENCODING_AES_KEY` (during a rotation `QOPEN_ENCODING_AES_KEY_NEXT`), then `qopen quarantine retry`.", "更正 `QOPEN_ENCODING_AES_KEY`（轮换期间为 `QOPEN_ENCODING_AES_KEY_NEXT`），然后运行 `qopen quarantine retry`。";
    } see ["undecrypted"];
    TEXT "quarantine-text" {
        "The plaintext is not text", "明文不是文本";
        "The content decrypted to bytes that are not UTF-8, and not readable in a tolerated way. With a wrong key this happens by chance.", "内容解密后不是 UTF-8，也无法以容许的方式读取。密钥错误时偶尔会这样。";
        "Check `QOPEN_ENCODING_AES_KEY` and `qopen quarantine retry`. If only this item fails, the platform cut a character: `qopen quarantine show ITEM --raw`, then release it if it is no page.", "检查 `QOPEN_ENCODING_AES_KEY` 并运行 `qopen quarantine retry`。若只有这一项失败，说明平台截断了字符：用 `qopen quarantine show ITEM --raw` 查看，不是分页则放行。";
    };
    JSON "quarantine-json" {
        "The text is not JSON", "文本不是 JSON";
        "The plaintext is text and no JSON, even read tolerantly.", "明文是文本，但即使宽容地读取也不是 JSON。";
        "`qopen quarantine show ITEM` shows it. Release it if it is no page; otherwise pull again.", "用 `qopen quarantine show ITEM` 查看。不是分页则放行，否则重新拉取。";
    };
    SHAPE "quarantine-shape" {
        "The JSON makes no page", "JSON 不构成分页";
        "The payload is JSON, and lacks what a page or a report must have: robot, mark, `has_more` or the list. An account without a readable id has this layer, too.", "内容是 JSON，但缺少分页或报告必需的部分：机器人、标记、`has_more` 或列表。没有可读 ID 的客户也属于此层。";
        "`qopen quarantine show ITEM` shows it. A newer qopen may read a new form: `qopen quarantine retry` after the upgrade.", "用 `qopen quarantine show ITEM` 查看。更新的 qopen 也许能读取新形式：升级后运行 `qopen quarantine retry`。";
    } see ["unidentified-accounts"];
    PULL "quarantine-pull" {
        "A page of a pull that was not requested here", "别处发起的拉取的分页";
        "The page is well formed, and its mark is unknown to this journal. It is kept, because its pull may become known.", "分页形式正确，但其标记不在本持久化存储中。该拉取以后可能变为已知，因此保留分页。";
        "`qopen serve --adopt` collects such pulls from then on, and `qopen quarantine retry` gives kept pages to theirs. Release the item if it belongs to another system.", "`qopen serve --adopt` 此后会收取这样的拉取，`qopen quarantine retry` 把保留的分页归入其拉取。属于其他系统的请放行。";
    } see ["unknown-pages"];
    LOST "quarantine-lost" {
        "The journal has lost pages", "持久化存储丢失了分页";
        "The item is no callback. It stands for pages that were answered `success` after the backup from which the journal was restored: the journal lacks them, and the platform does not send them again. It counts against every pull that had not ended complete, and against external pulls that `serve --adopt` collects before a process has run for `--deadline`.", "该项不是回调，而是代表备份之后已应答 `success` 的分页：由备份恢复的持久化存储中没有它们，平台也不会重新发送。它影响当时尚未完整结束的每次拉取，以及进程运行满 `--deadline` 之前由 `serve --adopt` 收取的外部拉取。";
        "Pull the robots again. If you know that nothing was received after the backup, `qopen quarantine release ITEM` accepts the lists as they are; then resume the pulls.", "重新拉取这些机器人。若确定备份之后没有收到任何内容，`qopen quarantine release ITEM` 接受现有的列表，然后继续拉取。";
    } see ["owed-pages"];
}
